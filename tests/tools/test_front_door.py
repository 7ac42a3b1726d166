"""The front door as a program: help, errors for people, documentation that is not stale."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from tools import documentation
from tools.__main__ import app
from tools.workspace import ROOT, stack_names

COMMANDS = typer.main.get_group(app).commands


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `./seamless COMMAND` as a person in some folder does."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "tools", *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_command_that_the_design_names_is_there() -> None:
    """`compare` comes with the second arrangement."""
    assert set(COMMANDS) == {
        "up",
        "down",
        "preview",
        "plan",
        "comment",
        "summarize",
        "outputs",
        "pulumi",
        "doctor",
        "check",
        "test",
        "bench",
        "docs",
        "rename",
    }


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"pulumi"}))
def test_every_command_has_help(name: str) -> None:
    """`pulumi --help` is Pulumi's own."""
    done = run(name, "--help")

    assert done.returncode == 0
    assert (COMMANDS[name].help or "").splitlines()[0] in done.stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["plan", "moon"], "There is no stack 'moon'"),
        (["up", "moon"], f"There is no stack 'moon': stacks/ has {', '.join(stack_names())}."),
        (["plan", "--config", "rung=x"], "--config rung: there is no such key."),
        (
            ["plan", "--config", "inference_mode=cluster"],
            "pulumi config set inference_mode serverless",
        ),
        (["plan", "--against", "HEAD"], "--against HEAD needs --markdown"),
        (["plan", "--markdown", "--against", "--upload-pack=x"], "git knows no such commit."),
        (["test", "everything"], "There is no part 'everything' of the tests."),
    ],
)
def test_a_mistake_ends_with_one_message_and_no_traceback(command: list[str], message: str) -> None:
    """On standard error, with a status that scripts see."""
    done = run(*command)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_plan_is_made_from_any_folder(tmp_path: Path) -> None:
    """People stand where their documents are."""
    assert "store-folder" in run("plan", cwd=tmp_path).stdout


def test_generated_documentation_is_fresh() -> None:
    """As `./seamless check` says, too."""
    assert documentation.stale() == []


def test_every_link_in_the_documents_leads_somewhere() -> None:
    """Links to files of this project; others are not ours to keep."""
    broken = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
            if not (document.parent / target).exists():
                broken.append(f"{document.name}: {target}")

    assert broken == []


def test_every_command_in_the_readme_exists() -> None:
    """A reader types what stands there."""
    readme = (ROOT / "README.md").read_text()

    assert set(re.findall(r"\./seamless ([a-z]+)", readme)) <= set(COMMANDS)
    assert set(COMMANDS) <= set(re.findall(r"\./seamless ([a-z]+)", readme))
