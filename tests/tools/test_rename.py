"""`./seamless rename` renames a copy once, and never while a stack is deployed."""

import json
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support.engine.clone import NEW, PROJECT, clone
from tools.rename import broken_by, rename
from tools.workspace import CommandError, project_name

FILES = ("Pulumi.yaml", "pyproject.toml", "uv.lock")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files with the name, and a stack's file as Pulumi writes it."""
    for name in FILES:
        shutil.copy(PROJECT / name, tmp_path / name)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.mine.yaml").write_text(
        f"config:\n  {project_name()}:region: tor1\n  aws:region: us-east-1\n  environment: prod\n"
    )
    return tmp_path


def test_the_name_is_changed_everywhere_and_only_once(root: Path) -> None:
    assert [str(path) for path in rename(root, NEW)] == [*FILES, "stacks/Pulumi.mine.yaml"]

    assert yaml.safe_load((root / "Pulumi.yaml").read_text())["name"] == NEW
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["name"] == NEW
    lock = tomllib.loads((root / "uv.lock").read_text())["package"]
    assert [row["name"] for row in lock if "virtual" in row["source"]] == [NEW]
    assert len(lock) == len(tomllib.loads((PROJECT / "uv.lock").read_text())["package"])
    assert yaml.safe_load((root / "stacks" / "Pulumi.mine.yaml").read_text())["config"] == {
        f"{NEW}:region": "tor1",
        "aws:region": "us-east-1",
        "environment": "prod",
    }
    assert rename(root, NEW) == []


def test_after_pulumi_new_the_name_changes_also_while_a_stack_is_deployed(root: Path) -> None:
    project = root / "Pulumi.yaml"
    project.write_text(project.read_text().replace(f"name: {project_name()}", f"name: {NEW}"))
    _deploy(root)

    assert project.name not in {path.name for path in rename(root, NEW)}
    assert project_name() not in (root / "pyproject.toml").read_text().split('"')


def test_the_name_does_not_change_while_a_stack_is_deployed(root: Path) -> None:
    _deploy(root)
    before = [(root / name).read_text() for name in FILES]

    with pytest.raises(CommandError) as refused:
        rename(root, NEW)

    assert str(refused.value) == (
        "State of mine would be lost: the project's name is part of every URN. "
        "First: ./seamless down mine"
    )
    assert [(root / name).read_text() for name in FILES] == before


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "lower-case letters"),
        ("Digest", "lower-case letters"),
        ("-digest", "lower-case letters"),
        ("digest-", "lower-case letters"),
        ("d" * 64, "at most 63 characters, this one has 64"),
        ("aws", "a package that the project needs has this name"),
        ("httpx", "a package that the project needs has this name"),
    ],
)
def test_an_invalid_name_is_an_error_with_its_rule(root: Path, name: str, rule: str) -> None:
    with pytest.raises(CommandError, match=f"^Invalid project name '{name}': {rule}"):
        rename(root, name)
    assert [broken_by(name, PROJECT) for name in ("a", "digest-2", "d" * 63)] == ["", "", ""]


def test_every_stack_of_a_renamed_copy_is_planned_under_its_name(tmp_path: Path) -> None:
    with clone(tmp_path, "local") as copy:
        copy.run("rename", NEW)
        for stack in ("integrated", "split", "local"):
            if (tmp_path / "stacks" / f"Pulumi.{stack}.yaml").exists():
                planned = json.loads(copy.run("plan", stack, "--json"))
                assert planned["variant"] == stack
                inputs = json.dumps([resource["inputs"] for resource in planned["resources"]])
                assert f"{project_name()}-{stack}" not in inputs
                assert f":{project_name()}" not in inputs
        assert copy.run("docs") == ""  # no generated part is stale


def _deploy(root: Path) -> None:
    state = root / ".seamless" / "state" / ".pulumi" / "stacks" / "any" / "mine.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
