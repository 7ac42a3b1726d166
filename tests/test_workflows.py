"""The files of CI: pinned actions, least permissions, no secrets for forks, `./seamless` only.

tests/test_jobs.py runs the scripts in a clean clone.
"""

import re
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import typer.main

from tests.support.runners import FILES, GITLAB, ROOT, WORKFLOWS
from tools.__main__ import app

COMMANDS = typer.main.get_group(app).commands

READ = {"contents": "read"}
OIDC = {"contents": "read", "id-token": "write"}
PERMISSIONS = {
    ("ci", "check"): READ,
    ("ci", "test"): READ,
    ("ci", "plan"): READ,
    ("nightly", "nightly"): READ,
    ("comment", "comment"): {"actions": "read", "contents": "read", "pull-requests": "write"},
    ("preview", "preview"): OIDC,
    ("deploy", "deploy"): OIDC,
    ("drift", "drift"): OIDC,
}
"""The permissions of each job's token."""

EXCEPTIONS = {'cat plan.md >> "$GITHUB_STEP_SUMMARY"'}
"""Scripts that are no `./seamless` command."""

IN_GITLAB = {
    "set -o pipefail",
    '(umask 077 && printenv AWS_TOKEN > "$AWS_WEB_IDENTITY_TOKEN_FILE")',
}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Workflow, name and content of every job."""
    for name, workflow in WORKFLOWS.items():
        for job, content in workflow["jobs"].items():
            yield name, job, content


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every step with its job."""
    for name, job, content in jobs():
        for step in content["steps"]:
            yield f"{name}.{job}", step


def test_every_action_is_pinned_by_commit_and_named_by_version() -> None:
    """Each action has one version."""
    lines = [line for path in FILES for line in path.read_text().splitlines() if "uses:" in line]
    pinned = [
        re.fullmatch(r"\s+(?:- )?uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
        for line in lines
    ]

    assert [line for line, match in zip(lines, pinned, strict=True) if match is None] == []
    uses = {match.groups() for match in pinned if match}
    assert len({action for action, _, _ in uses}) == len(uses)


def test_a_job_has_only_the_permissions_that_it_needs() -> None:
    assert all(workflow["permissions"] == {} for workflow in WORKFLOWS.values())
    assert {(name, job): content["permissions"] for name, job, content in jobs()} == PERMISSIONS


def test_a_workflow_that_a_fork_can_start_has_no_secret_and_no_write_token() -> None:
    ci = (ROOT / ".github" / "workflows" / "ci.yml").read_text()

    assert "secrets" not in ci
    assert "github.token" not in ci
    assert not any("pull_request_target" in workflow["on"] for workflow in WORKFLOWS.values())
    same_repository = "github.event.pull_request.head.repo.full_name == github.repository"
    assert {
        name: same_repository in job["if"]
        for name, _, job in jobs()
        if "pull_request" in WORKFLOWS[name]["on"] and name != "ci"
    } == {"preview": True}


def test_a_job_with_credentials_has_an_environment_and_is_off_by_default() -> None:
    with_credentials = {
        f"{name}.{job}": (content.get("environment"), "vars.STACKS != ''" in content.get("if", ""))
        for name, job, content in jobs()
        if "secrets." in str(content) or "id-token" in content["permissions"]
    }

    assert with_credentials == {
        "preview.preview": ("${{ matrix.stack }}-preview", True),
        "drift.drift": ("${{ matrix.stack }}-drift", True),
        "deploy.deploy": ("${{ matrix.stack }}", True),
    }


def test_the_job_with_write_permission_runs_no_code_of_the_pull_request() -> None:
    found = WORKFLOWS["comment"]["jobs"]["comment"]["steps"]
    checkout, download = found[0]["with"], found[1]["with"]

    assert checkout["ref"] == "${{ github.event.repository.default_branch }}"
    assert download["path"] == "${{ runner.temp }}/plan"
    assert "cache" not in str(found)


def test_no_checkout_keeps_its_token() -> None:
    checkouts = [step for _, step in steps() if "actions/checkout@" in step.get("uses", "")]

    assert len(checkouts) == len(list(jobs()))
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_script_is_a_seamless_command_without_expressions() -> None:
    """An expression could contain code of a fork."""
    scripts = [step["run"] for _, step in steps() if "run" in step]
    commands = [re.match(r"\./seamless ([a-z]+)\b", script) for script in scripts]

    assert {
        script
        for script, match in zip(scripts, commands, strict=True)
        if match is None or match[1] not in COMMANDS
    } == EXCEPTIONS
    assert not any("${{" in script for script in scripts)


def test_every_job_has_a_timeout_and_only_ci_is_cancelled() -> None:
    """A cancelled deployment leaves its lock."""
    assert all(0 < content["timeout-minutes"] <= 90 for _, _, content in jobs())
    cancelled = {
        name: workflow["concurrency"]["cancel-in-progress"] for name, workflow in WORKFLOWS.items()
    }
    assert cancelled.pop("ci") == "${{ github.event_name == 'pull_request' }}"
    assert set(cancelled.values()) == {False}


def test_the_engine_in_ci_has_the_version_of_the_lock() -> None:
    versions = {
        step["with"]["pulumi-version"]
        for _, step in steps()
        if "pulumi/actions@" in step.get("uses", "")
    }

    assert versions == {version("pulumi")}


def test_gitlab_deploys_existing_stacks() -> None:
    (matrix,) = GITLAB[".account"]["parallel"]["matrix"]
    missing = [s for s in matrix["STACK"] if not (ROOT / f"stacks/Pulumi.{s}.yaml").exists()]

    assert matrix["STACK"] != []
    assert missing == []


def test_gitlab_looks_for_drift_only_in_a_schedule_of_the_default_branch() -> None:
    """Its environment has a token that can deploy; a schedule can run any branch."""
    (rule,) = GITLAB["drift"]["rules"]

    assert rule["if"].split(" && ") == [
        "$PULUMI_BACKEND_URL",
        '$CI_PIPELINE_SOURCE == "schedule"',
        "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
    ]


def test_gitlab_runs_the_same_commands() -> None:
    """Only the comparison of a plan differs."""
    lines = {
        line
        for job in GITLAB.values()
        if isinstance(job, dict)
        for part in ("before_script", "script")
        for line in job.get(part, [])
    }
    github = {step["run"] for _, step in steps() if "run" in step}

    assert {line for line in lines - IN_GITLAB if "plan" not in line} == {
        script
        for script in github - EXCEPTIONS
        if not re.search(r"seamless (plan|comment) ", script)
    }
    assert "./seamless plan --all --markdown $AGAINST | tee plan.md" in lines
