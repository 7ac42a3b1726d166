"""Derived projects pass check and test: a fork without a variant, and a project of another name,
both made as docs/project.md says."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.engine.clone import NEW, PROJECT, copy_files
from tests.support.engine.template import new
from tests.support.history import commit
from tools.docs.generate import REMOVABLE

HERE = [name for name in REMOVABLE if (PROJECT / "stacks" / f"{name}.py").exists()]
"""Variants that this fork has not deleted."""


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
    """Make a new project of this one, with another stack."""
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
"""How to make each kind of project in an empty folder."""


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


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", MADE)
def test_a_project_made_of_this_one_passes_check_and_the_unit_tests(
    say: Callable[[str], None], kind: str
) -> None:
    """By the commands that a person types there, in an environment of its own."""
    with tempfile.TemporaryDirectory(prefix=f"{kind}-") as folder:
        # pytest's own folders are closed to the user that PostgreSQL runs as in a container.
        Path(folder).chmod(0o755)
        MADE[kind](Path(folder))
        assert run(Path(folder), "./seamless", "docs") == ""  # no generated part is stale
        assert "all checks pass" in run(Path(folder), "./seamless", "check")
        printed = run(Path(folder), "./seamless", "test", "unit")

    (summary,) = re.findall(r"^=+ (\d+ passed.*) =+$", printed, re.MULTILINE)
    say(f"{kind}: {summary}")
    reasons = re.findall(r"^SKIPPED \[\d+\] (.+)$", printed, re.MULTILINE)
    say("\n".join(f"  {reason}" for reason in reasons))


@pytest.mark.parametrize("gone", REMOVABLE)
def test_the_files_of_a_variant_are_all_here_or_all_gone(gone: str) -> None:
    there = {(PROJECT / name).exists() for name in REMOVABLE[gone]}

    assert len(there) == 1
