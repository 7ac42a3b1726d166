"""The scripts of CI's jobs run in a clean clone, as on GitHub's and GitLab's runners.

No action runs: caches and credentials exist. Jobs with credentials deploy to simulated clouds.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.test_clouds import INFERENCE_KEY, MODELS, serve_cluster
from tests.support import inference_servers, local
from tests.support.accounts import aws
from tests.support.accounts import digitalocean as functions_api
from tests.support.accounts.aws import Account
from tests.support.accounts.digitalocean_lists import Account as DigitalOceanAccount
from tests.support.clouds import launch
from tests.support.clouds.launch import ACCOUNTS
from tests.support.clouds.world import World
from tests.support.engine.clone import copy_files
from tests.support.history import commit, git
from tests.support.runners import BASH, ROOT, Script, at_github, at_gitlab
from tools.bootstrap import cache_folder

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(900)]

NARROWED = {
    "unit": "tests/functions/summary/test_chunking.py",
    "engine": "tests/engine/test_local_stack.py -k second_up",
    "browser": "tests/browser/test_page.py -k an_empty_file",
}
"""A few tests of each part."""

CLOUDS = {"split": "aws", "integrated": "digitalocean"}

VANISHES = {"split": "monitoring-dead-letters", "integrated": "monitoring-check"}
"""A resource that is deleted outside of Pulumi."""

REPLACES = (
    "- **local serverless, local dedicated: `database-server` "
    "(`pulumi-python:dynamic/local:PostgresServer`) would be replaced: "
    "`database` `summarizer` → `other` (replaces).**"
)
"""The line about the change in the clone."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clone with a merged pull request that would replace a database."""
    folder = tmp_path_factory.mktemp("clone") / "seamless"
    copy_files(folder)
    commit(folder, "The target branch")
    database = folder / "components" / "local" / "database.py"
    text = database.read_text()
    assert text.count('database="summarizer"') == 1
    database.write_text(text.replace('database="summarizer"', 'database="other"'))
    commit(folder, "The pull request, merged")
    # The cache of the last job; GitLab keeps only folders of the project.
    (folder / ".ci-cache").mkdir()
    packages = os.environ.get("UV_CACHE_DIR") or cache_folder().with_name("uv")
    (folder / ".ci-cache" / "seamless").symlink_to(cache_folder())
    (folder / ".ci-cache" / "uv").symlink_to(packages)
    return folder


@pytest.fixture(scope="module")
def runner(clone: Path) -> dict[str, str]:
    """The variables of a fresh machine without a login."""
    removed = ("PYTHONPATH", "VIRTUAL_ENV", "PYTEST_", "PULUMI_", "CI_", "GITHUB_", *ACCOUNTS)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(removed)},
        "GITHUB_STEP_SUMMARY": str(clone.parent / "summary.md"),
    }


@pytest.fixture(scope="module")
def gitlab(clone: Path) -> dict[str, str]:
    """GitLab's variables of a merge request."""
    return {
        "CI_PROJECT_DIR": str(clone),
        "CI_BUILDS_DIR": str(clone.parent),
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(clone, "rev-parse", "HEAD^1"),
    }


@pytest.mark.parametrize(
    ("at", "job"),
    [
        *(("github", job) for job in ("plan", "check", *NARROWED)),
        # tests/test_workflows.py compares its other lines with GitHub's.
        *(("gitlab", job) for job in ("plan", "unit")),
    ],
)
def test_the_scripts_of_a_job_without_credentials_run_in_a_clean_clone(
    clone: Path,
    runner: dict[str, str],
    gitlab: dict[str, str],
    say: Callable[[str], None],
    at: str,
    job: str,
) -> None:
    name = "test" if job in NARROWED else job
    narrowed = {"PYTEST_ADDOPTS": f"{NARROWED[job]} -p no:cacheprovider"} if job in NARROWED else {}
    scripts = (
        at_github("ci", name, {"matrix.part": job})
        if at == "github"
        else at_gitlab(name, {**gitlab, "PART": job})
    )

    printed = ""
    for script in scripts:
        began = time.monotonic()
        printed += script.run(clone, {**runner, **narrowed})
        say(f"{at} {job}: {script.text!r}: {time.monotonic() - began:.1f} s")

    if job == "plan":
        summary = Path(runner["GITHUB_STEP_SUMMARY"])
        assert REPLACES in (summary.read_text() if at == "github" else printed)
    elif job == "check":
        assert "all checks pass" in printed
    else:
        (passed,) = re.findall(r"(\d+) passed", printed)
        assert int(passed) > 0
        assert not re.search(r"\d+ (failed|errors?|skipped)", printed)


@pytest.fixture
def unconfigured(clone: Path) -> Iterator[None]:
    """Restore the stacks' files."""
    yield
    git(clone, "checkout", "--quiet", "--", "stacks")


@pytest.mark.usefixtures("unconfigured")
@pytest.mark.parametrize(("at", "stack"), [("github", "split"), ("gitlab", "integrated")])
def test_the_scripts_of_the_jobs_with_credentials_preview_deploy_and_find_drift(
    clone: Path,
    runner: dict[str, str],
    gitlab: dict[str, str],
    tmp_path: Path,
    postgres: local.Server,
    say: Callable[[str], None],
    at: str,
    stack: str,
) -> None:
    """The stack is set up as in docs/ci.md: at AWS only the role of `deploy` may create."""
    if not (ROOT / "stacks" / f"{stack}.py").exists():
        pytest.skip(f"deleted in this fork: {stack}")
    world = World(folder=tmp_path / "clouds", cloud=CLOUDS[stack])
    simulated = launch.environment(world.folder).items() - os.environ.items()
    serve_cluster(postgres, world)
    (tmp_path / "state").mkdir()
    with (
        functions_api.running(DigitalOceanAccount(world)) as api,
        aws.running() as account,
        inference_servers.serving(MODELS, INFERENCE_KEY) as inference,
    ):
        secrets = {
            "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "passphrase-of-a-maintainer",
            "DIGITALOCEAN_TOKEN": api.token,
            "SPACES_ACCESS_KEY_ID": "simulated",
            "SPACES_SECRET_ACCESS_KEY": "simulated",
        }
        machine = {
            **runner,
            **dict(simulated),
            "PULUMI_HOME": str(tmp_path / "home"),
            "DIGITALOCEAN_API_URL": api.url,
            "PGSSLMODE": "disable",
            "AWS_ENDPOINT_URL": account.url,
        }
        setting = f"./seamless pulumi config set --stack {stack}"
        for line in (
            f"{setting} --secret inference_api_key {INFERENCE_KEY}",
            f"{setting} inference_url {inference}",
            f"{setting} inference_model {MODELS[0]}",
        ):
            Script(shell=BASH, text=line, variables=secrets).run(clone, machine)

        def run(job: str, expect: int = 0) -> str:
            backend = "vars.PULUMI_BACKEND_URL || 'https://api.pulumi.com'"
            expressions = {"matrix.stack": stack, backend: secrets["PULUMI_BACKEND_URL"]}
            expressions |= {f"secrets.{name}": value for name, value in secrets.items()}
            variables = {**gitlab, **secrets, "STACK": stack, "AWS_TOKEN": "token-of-a-job"}
            (script,) = (
                at_github(job, job, expressions)
                if at == "github"
                else at_gitlab(job, {**variables, "CI_BUILDS_DIR": str(tmp_path)})
            )
            role = stack if job == "deploy" else f"{stack}-{job}"
            account.arn = f"arn:aws:sts::123456789012:assumed-role/{role}/job"
            account.decides = Account().decides if job == "deploy" else aws.reads_only
            began = time.monotonic()
            printed = script.run(clone, machine, expect)
            say(f"{at} {job} {stack}: {time.monotonic() - began:.1f} s")
            assert INFERENCE_KEY not in printed
            return printed

        previewed = run("preview")
        before = world.resources()
        deployed = run("deploy")
        unchanged = run("drift")
        with world.change() as resources:
            (gone,) = [key for key, item in resources.items() if item["name"] == VANISHES[stack]]
            del resources[gone]
        drifted = run("drift", expect=1)

    assert before == {}
    for printed in (previewed, unchanged):
        assert ("may not deploy" in " ".join(printed.split())) is (stack == "split")
    assert "to create" in previewed
    assert "created" in deployed
    assert "unchanged" in unchanged
    assert VANISHES[stack] in drifted
    assert f"Correct it: ./seamless up {stack}" in " ".join(drifted.split())
    token = tmp_path / "aws-token"
    assert token.exists() is (at == "gitlab")
    if at == "gitlab":
        assert (token.read_text(), token.stat().st_mode & 0o777) == ("token-of-a-job\n", 0o600)
