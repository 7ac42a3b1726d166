"""`pulumi new` from this repository, into an empty folder, to a plan and a local stack.

The vendor's language host, which would install the packages, is `language_host` of this folder.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.engine import language_host, terminal
from tests.engine.clone import PROJECT, Clone, clone
from tools.engine import ensure

pytestmark = [pytest.mark.engine, pytest.mark.timeout(400)]

KEY = "a-key-that-somebody-typed"

ANSWERS = (
    ("Project name (seamless)", "digest"),
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
        environment = _environment(template) | login | {"TERM": "xterm"}
        environment["PATH"] = f"{told.parent}{os.pathsep}{environment['PATH']}"
        shown = terminal.answer(
            [str(ensure(print).command), "new", str(template), "--offline"],
            ANSWERS,
            folder=root,
            environment=environment,
        )

    assert "Your new project is ready to go!" in shown
    assert KEY not in shown
    assert json.loads(told.read_text()) == {"toolchain": "uv", "virtualenv": ".venv"}
    config = yaml.safe_load((root / "stacks" / "Pulumi.mine.yaml").read_text())["config"]
    assert list(config.pop("digest:inference_api_key")) == ["secure"]
    assert config == {"digest:arrangement": "local", "digest:environment": "dev"}
    copy = Clone(root=root, stack="mine", login=login)
    try:
        copy.run("rename", "digest")
        assert copy.run("plan", "mine").startswith("mine: local, serverless\n")
        _begin_a_history(root)
        assert "all checks pass" in copy.run("check", seconds=380)
        assert "13 created" in copy.run("up", "mine", "--yes")
        assert copy.health()["status"] == "ok"
        assert "13 deleted" in copy.run("down", "mine", "--yes")
        (checkpoint,) = (state / ".pulumi" / "stacks" / "digest").glob("*.json")
        assert checkpoint.name == "mine.json"
        copy.run("pulumi", "stack", "rm", "mine", "--preserve-config", "--yes")
    finally:
        for process in copy.processes():
            process.kill()
    assert not checkpoint.exists()
    assert copy.config.exists()
    assert not (root / ".seamless" / "passphrase").exists()


def _new(template: Path, root: Path) -> None:
    """Run the engine's own CLI, without a backend and without a network."""
    options = ("--name", "digest", "--generate-only", "--yes", "--offline")
    done = subprocess.run(
        [str(ensure(print).command), "new", str(template), *options],
        cwd=root,
        env=_environment(template),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "./seamless up" in done.stdout


def _begin_a_history(root: Path) -> None:
    """As docs/new.md says: what git does not know is not checked."""
    author = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *command], cwd=root, check=True)


def _environment(template: Path) -> dict[str, str]:
    """This process's, with an engine, and without a login of whoever runs the tests."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
    engine = ensure(print).environment(language_host=True)
    return environment | engine | {"PULUMI_HOME": str(template / "home")}
