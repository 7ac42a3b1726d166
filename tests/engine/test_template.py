"""A project of `pulumi new` from this repository: renamed, planned, deployed, destroyed."""

import os
from pathlib import Path

import pytest
import yaml

from tests.support.engine.clone import NEW, PROJECT, Clone, clone
from tests.support.engine.template import new

PROGRAM = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())

pytestmark = pytest.mark.skipif(
    "template" not in PROGRAM, reason="`pulumi new` removed the questions"
)


def test_pulumi_new_has_questions_for_existing_config_and_hides_the_key() -> None:
    questions = PROGRAM["template"]["config"]

    assert questions.keys() <= PROGRAM["config"].keys()
    secret = [key for key, question in questions.items() if question.get("secret")]
    assert secret == ["inference_api_key"]


@pytest.mark.nightly
@pytest.mark.timeout(400)
def test_a_new_project_is_renamed_planned_deployed_and_destroyed(tmp_path: Path) -> None:
    template, root = tmp_path / "template", tmp_path / "new"
    root.mkdir()
    with clone(template, "local"):
        (template / ".venv").unlink()
        assert "./seamless up" in new(template, root)

    project = yaml.safe_load((root / "Pulumi.yaml").read_text())
    assert (project["name"], "template" in project) == (NEW, False)
    assert os.access(root / "seamless", os.X_OK)
    (root / ".venv").symlink_to(PROJECT / ".venv")
    copy = Clone(root=root, stack="local")
    try:
        assert "wrote pyproject.toml" in copy.run("rename", NEW)
        assert copy.run("rename", NEW) == f"The project's name is already {NEW}.\n"
        assert "no violations" in copy.run("plan", "local", "--config", "environment=prod")
        assert copy.run("docs") == ""  # no generated part is stale
        copy.run("up", "local", "--yes")
        state = root / ".seamless" / "state" / ".pulumi" / "stacks"
        assert [path.name for path in state.iterdir()] == [NEW]
        assert copy.health()["status"] == "ok"
        copy.run("down", "local", "--yes")
    finally:
        copy.kill()
