"""`./seamless` as a program: help, and errors without a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from tools.__main__ import app
from tools.workspace import ROOT, stack_names

COMMANDS = typer.main.get_group(app).commands


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run `./seamless COMMAND` in a folder."""
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


def test_commands_for_users_come_before_those_for_developers() -> None:
    panels: dict[object, list[str]] = {}
    for name, command in COMMANDS.items():
        panels.setdefault(getattr(command, "rich_help_panel", None), []).append(name)

    users, developers = panels.values()
    assert users == ["up", "down", "preview", "plan", "summarize", "outputs", "doctor", "pulumi"]
    assert developers == ["check", "test", "bench", "docs", "rename", "comment"]


def test_a_repeated_argument_is_shown_with_one_ellipsis() -> None:
    assert "{FILE}..." in run("summarize", "--help").stdout


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"pulumi"}))
def test_every_command_has_help(name: str) -> None:
    done = run(name, "--help")

    assert done.returncode == 0
    assert (COMMANDS[name].help or "").splitlines()[0] in done.stdout


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["plan", "moon"], "There is no stack 'moon'"),
        (["up", "moon"], f"There is no stack 'moon'. Stacks: {', '.join(stack_names())}."),
        (["plan", "--config", "mode=x"], "--config mode: there is no such key."),
        (
            ["plan", "--config", "inference_mode=cluster"],
            "pulumi config set inference_mode serverless",
        ),
        (["plan", "--against", "HEAD"], "--against HEAD needs --markdown"),
        (["plan", "--markdown", "--against", "--upload-pack=x"], "git knows no such commit."),
        (["test", "everything"], "There is no part 'everything' of the tests."),
    ],
)
def test_an_error_is_one_message_on_standard_error_without_a_traceback(
    command: list[str], message: str
) -> None:
    done = run(*command)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_error_of_the_catalogue_is_one_message_without_a_traceback() -> None:
    program = (
        "import pathlib, catalog; catalog.FOLDER = pathlib.Path('no-folder');"
        "from tools.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("seamless: catalog/")
    assert "Traceback" not in done.stderr


def test_a_plan_works_in_any_folder(tmp_path: Path) -> None:
    assert "store-folder" in run("plan", cwd=tmp_path).stdout
