"""`pulumi new` from this repository, into an empty folder, to a plan and a local stack.

The vendor's language host, which would install the packages, is `language_host` of this folder.
"""

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.engine import language_host, terminal
from tests.engine.clone import NEW, PROJECT, Clone, clone
from tests.engine.template import environment, new
from tests.history import commit
from tools.engine import ensure
from tools.workspace import project_name

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        "template" not in yaml.safe_load((PROJECT / "Pulumi.yaml").read_text()),
        reason="`pulumi new` made this project, and took the questions out",
    ),
]

KEY = "a-key-that-somebody-typed"

ANSWERS = (
    (f"Project name ({project_name()})", NEW),
    ("Project description", ""),
    ("Stack name (dev)", "mine"),
    ("Where the parts run", ""),  # local
    ("dev or prod", ""),
    ("Key of the inference endpoint", KEY),
)
"""What `pulumi new` asks, and what is typed."""


def test_a_project_from_the_template_is_renamed_planned_deployed_and_destroyed(
    tmp_path: Path,
) -> None:
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
        assert copy.run("rename", NEW) == f"The project is called {NEW} already.\n"
        assert "no violations" in copy.run("plan", "local", "--config", "environment=prod")
        assert copy.run("docs") == ""  # nothing that is generated is stale
        copy.run("up", "local", "--yes")
        state = root / ".seamless" / "state" / ".pulumi" / "stacks"
        assert [path.name for path in state.iterdir()] == [NEW]
        assert copy.health()["status"] == "ok"
        copy.run("down", "local", "--yes")
    finally:
        for process in copy.processes():
            process.kill()


def test_a_person_who_answers_the_questions_gets_a_stack_that_is_planned_checked_and_deployed(
    tmp_path: Path,
) -> None:
    """In the backend that was chosen, which our commands use from then on."""
    template, root, state = tmp_path / "template", tmp_path / "new", tmp_path / "state"
    root.mkdir()
    state.mkdir()
    login = {"PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "of a test"}
    with clone(template, "local"):
        (template / ".venv").unlink()
        told = language_host.launcher(tmp_path / "programs")
        variables = environment(tmp_path / "home") | login | {"TERM": "xterm"}
        variables["PATH"] = f"{told.parent}{os.pathsep}{variables['PATH']}"
        shown = terminal.answer(
            [str(ensure(print).command), "new", str(template), "--offline"],
            ANSWERS,
            folder=root,
            environment=variables,
        )

    assert "Your new project is ready to go!" in shown
    assert KEY not in shown
    assert json.loads(told.read_text()) == {"toolchain": "uv", "virtualenv": ".venv"}
    config = yaml.safe_load((root / "stacks" / "Pulumi.mine.yaml").read_text())["config"]
    assert list(config.pop(f"{NEW}:inference_api_key")) == ["secure"]
    assert config == {f"{NEW}:variant": "local", f"{NEW}:environment": "dev"}
    copy = Clone(root=root, stack="mine", login=login)
    try:
        copy.run("rename", NEW)
        assert copy.run("plan", "mine").startswith("mine: local, serverless\n")
        commit(root, "Begin")
        assert "all checks pass" in copy.run("check", seconds=380)
        assert "13 created" in copy.run("up", "mine", "--yes")
        assert copy.health()["status"] == "ok"
        assert "13 deleted" in copy.run("down", "mine", "--yes")
        (checkpoint,) = (state / ".pulumi" / "stacks" / NEW).glob("*.json")
        assert checkpoint.name == "mine.json"
        copy.run("pulumi", "stack", "rm", "mine", "--preserve-config", "--yes")
    finally:
        for process in copy.processes():
            process.kill()
    assert not checkpoint.exists()
    assert copy.config.exists()
    assert not (root / ".seamless" / "passphrase").exists()
