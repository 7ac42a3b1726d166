"""A fork without a variant, and a project with another name, pass check and test.

docs/project.md describes both."""

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


def fork(root: Path, gone: str) -> None:
    """Copy the project to a folder, and remove a variant there."""
    copy_files(root)
    page = (PROJECT / "docs" / "project.md").read_text()
    (remove,) = re.findall(rf"^\| {gone} \| `(git rm .+)` \|$", page, re.MULTILINE)
    unlink, strike = re.findall(r"^perl .+$", page, re.MULTILINE)
    commit(root, "Begin")
    for line in (remove, unlink, strike):
        run(root, "bash", "-c", line.replace("NAME", gone))
    commit(root, f"Without {gone}")


def project(root: Path) -> None:
    """Create a project with another name and another stack by `pulumi new`."""
    with tempfile.TemporaryDirectory() as template:
        copy_files(Path(template))
        new(Path(template), root)
    run(root, "./seamless", "rename", NEW)
    (root / "stacks" / "Pulumi.first.yaml").write_text("config:\n  environment: prod\n")
    commit(root, "Begin")


KINDS: dict[str, Callable[[Path], None]] = {
    **{
        f"without-{name}": partial(fork, gone=name)
        for name in REMOVABLE
        if (PROJECT / "stacks" / f"{name}.py").exists()
    },
    "new": project,
}
"""Functions that create each kind of project in an empty folder."""


def run(root: Path, *command: str) -> str:
    """Run a command in a project, check its status, and return its output."""
    removed = ("PYTEST_", "PYTHONPATH", "VIRTUAL_ENV")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(removed)}
    done = subprocess.run(
        command,
        cwd=root,
        env=environment | {"PYTHONPATH": str(root)},
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
@pytest.mark.parametrize("kind", KINDS)
def test_a_derived_project_passes_check_and_the_unit_tests(
    say: Callable[[str], None], kind: str
) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{kind}-") as folder:
        # In a container PostgreSQL runs as a user without access to pytest's folders.
        Path(folder).chmod(0o755)
        KINDS[kind](Path(folder))
        run(Path(folder), "./seamless", "--help")  # the first command installs the packages
        assert run(Path(folder), "./seamless", "docs") == ""  # no generated part is stale
        assert "all checks pass" in run(Path(folder), "./seamless", "check")
        printed = run(Path(folder), "./seamless", "test", "unit")

    (summary,) = re.findall(r"^=+ (\d+ passed.*) =+$", printed, re.MULTILINE)
    say(f"{kind}: {summary}")
    reasons = re.findall(r"^SKIPPED \[\d+\] (.+)$", printed, re.MULTILINE)
    say("\n".join(f"  {reason}" for reason in reasons))


@pytest.mark.parametrize("gone", REMOVABLE)
def test_the_files_of_a_variant_all_exist_or_are_all_deleted(gone: str) -> None:
    assert len({(PROJECT / name).exists() for name in REMOVABLE[gone]}) == 1
