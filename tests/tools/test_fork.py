"""Derived projects pass check and test: a fork without a variant, and a project of another name,
both made as docs/project.md says."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.engine.clone import NEW, PROJECT, copy_files
from tests.engine.template import new
from tests.history import commit
from tools.documentation import REMOVABLE

HERE = [name for name in REMOVABLE if (PROJECT / "stacks" / f"{name}.py").exists()]
"""Arrangements that this fork has not deleted."""

ABOUT = ("tests/stacks", "tests/policies/test_stacks.py", "tests/components/test_bucket_name.py")
"""Tests that are about arrangements. The others ask for a plan seldom, or in the same way."""


def fork(root: Path, gone: str) -> None:
    """Copy the project to a folder, and do there what the page says."""
    copy_files(root)
    page = (PROJECT / "docs" / "project.md").read_text()
    (remove,) = re.findall(rf"^\| {gone} \| `(git rm .+)` \|$", page, re.MULTILINE)
    unlink, strike = re.findall(r"^perl .+$", page, re.MULTILINE)
    commit(root, "Begin")
    for line in (remove, unlink, strike):
        run(root, "bash", "-c", line.replace("NAME", gone))
    commit(root, f"Without {gone}")


def project(root: Path) -> None:
    """Make a project of its own of this one, with a stack that somebody added."""
    with tempfile.TemporaryDirectory() as template:
        copy_files(Path(template))
        new(Path(template), root)
    run(root, "./seamless", "rename", NEW)
    (root / "stacks" / "Pulumi.first.yaml").write_text("config:\n  environment: prod\n")
    commit(root, "Begin")


MADE: dict[str, Callable[[Path], None]] = {
    **{f"without-{name}": partial(fork, gone=name) for name in HERE},
    "new": project,
}
"""What makes a folder into one of somebody's, by how it differs from ours."""


def run(root: Path, *command: str) -> str:
    """Run a command in a fork, which succeeds, and return what it printed."""
    ours = ("PYTEST_", "PYTHONPATH", "VIRTUAL_ENV")
    done = subprocess.run(
        command,
        cwd=root,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith(ours)},
            "PYTHONPATH": str(root),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.workflow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("gone", HERE)
def test_a_fork_without_an_arrangement_passes_check_and_the_tests_about_arrangements(
    tmp_path: Path, gone: str
) -> None:
    """With the packages of this clone, and what mypy knows of them, to be done in a minute."""
    fork(tmp_path, gone)
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")
    if (PROJECT / ".mypy_cache").exists():
        shutil.copytree(PROJECT / ".mypy_cache", tmp_path / ".mypy_cache")
    python = (sys.executable, "-P", "-m")

    assert run(tmp_path, *python, "tools", "docs") == ""  # nothing that is generated changes
    assert "all checks pass" in run(tmp_path, *python, "tools", "check")
    run(tmp_path, *python, "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests")
    run(tmp_path, *python, "pytest", "-q", "-p", "no:cacheprovider", *ABOUT)


@pytest.mark.forks
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("kind", MADE)
def test_what_somebody_made_of_this_project_passes_all_tests(
    say: Callable[[str], None], kind: str
) -> None:
    """By the command that a person types there, in an environment of its own."""
    with tempfile.TemporaryDirectory(prefix=f"{kind}-") as folder:
        # pytest's own folders are closed to the user that PostgreSQL runs as in a container.
        Path(folder).chmod(0o755)
        MADE[kind](Path(folder))
        printed = run(Path(folder), "./seamless", "test")

    (summary,) = re.findall(r"^=+ (\d+ passed.*) =+$", printed, re.MULTILINE)
    say(f"{kind}: {summary}")
    reasons = re.findall(r"^SKIPPED \[\d+\] (.+)$", printed, re.MULTILINE)
    say("\n".join(f"  {reason}" for reason in reasons))


@pytest.mark.parametrize("gone", REMOVABLE)
def test_what_belongs_to_an_arrangement_is_here_all_of_it_or_none(gone: str) -> None:
    there = {(PROJECT / name).exists() for name in REMOVABLE[gone]}

    assert len(there) == 1
