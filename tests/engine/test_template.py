"""`pulumi new` from this repository, into an empty folder, to a plan and a local stack."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.engine.clone import PROJECT, Clone, clone
from tools.engine import ensure

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]


def test_a_project_from_the_template_is_renamed_planned_deployed_and_destroyed(
    tmp_path: Path,
) -> None:
    template, root = tmp_path / "template", tmp_path / "new"
    root.mkdir()
    with clone(template, "local"):
        (template / ".venv").unlink()
        _new(template, root)

    project = yaml.safe_load((root / "Pulumi.yaml").read_text())
    assert (project["name"], "template" in project) == ("digest", False)
    assert os.access(root / "seamless", os.X_OK)
    (root / ".venv").symlink_to(PROJECT / ".venv")
    copy = Clone(root=root, stack="local")
    try:
        assert "wrote pyproject.toml" in copy.run("rename", "digest")
        assert copy.run("rename", "digest") == "The project is called digest already.\n"
        assert "every rule holds" in copy.run("plan", "local", "--config", "environment=prod")
        assert copy.run("docs") == ""  # nothing that is generated is stale
        copy.run("up", "local", "--yes")
        state = root / ".seamless" / "state" / ".pulumi" / "stacks"
        assert [path.name for path in state.iterdir()] == ["digest"]
        assert copy.health()["status"] == "ok"
        copy.run("down", "local", "--yes")
    finally:
        for process in copy.processes():
            process.kill()


def _new(template: Path, root: Path) -> None:
    """Run the engine's own CLI, without a backend and without a network."""
    engine = ensure(print)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
    environment |= engine.environment(language_host=True) | {"PULUMI_HOME": str(template / "home")}
    options = ("--name", "digest", "--generate-only", "--yes", "--offline")
    done = subprocess.run(
        [str(engine.command), "new", str(template), *options],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "./seamless up" in done.stdout
