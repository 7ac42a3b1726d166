"""A fork that has deleted one arrangement, as docs/fork.md says, still passes its checks."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.clone import PROJECT, clone
from tools.documentation import REMOVABLE

PARTS = ("tests/stacks", "tests/policies/test_stacks.py", "tests/components/test_bucket_name.py")
"""Tests that are about arrangements. The others ask for a plan seldom, or in the same way."""


@pytest.mark.workflow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("gone", REMOVABLE)
def test_a_fork_without_an_arrangement_passes_check_and_test(tmp_path: Path, gone: str) -> None:
    with clone(tmp_path, "local") as copy:
        # These tests ask no provider; they compare with the table as it is.
        shutil.copy2(PROJECT / "components" / "providers.py", tmp_path / "components")
        for name in REMOVABLE[gone]:
            path = tmp_path / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for module, *arguments in (
            ("ruff", "check", "--no-cache", "."),
            ("tools", "docs"),
            ("pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"),
            ("pytest", "-q", "-p", "no:cacheprovider", *PARTS),
        ):
            done = subprocess.run(
                [sys.executable, "-P", "-m", module, *arguments],
                cwd=copy.root,
                env={**os.environ, "PYTHONPATH": str(copy.root)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("gone", REMOVABLE)
def test_what_belongs_to_an_arrangement_is_here_all_of_it_or_none(gone: str) -> None:
    there = {(PROJECT / name).exists() for name in REMOVABLE[gone]}

    assert len(there) == 1
