"""Files of a Go module are copied only when its hash is the pinned one."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools.engine import go_sources
from tools.engine.build import StepError
from tools.engine.go_sources import GoSource, get, kept


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of a fake Go, read-only like those in Go's cache."""
    folder = tmp_path / "module"
    (folder / "charts" / "one").mkdir(parents=True)
    (folder / "charts" / "one" / "Chart.yaml").write_text("name: one\n")
    (folder / "definition.yaml").write_text("kind: Some\n")
    for file in folder.rglob("*.yaml"):
        file.chmod(0o444)
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho '{json.dumps({'Sum': 'h1:pinned', 'Dir': str(folder)})}'\n")
    go.chmod(0o755)
    monkeypatch.setattr(go_sources, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(go_sources, "go_toolchain", lambda _log, _report: (go, {}))
    monkeypatch.setattr(go_sources, "forget_toolchain", lambda: None)
    return folder


def source(paths: Mapping[str, str], pinned: str = "h1:pinned") -> GoSource:
    return GoSource(module="example.org/some@v1.0.0", sum=pinned, paths=paths)


def test_folders_and_files_are_copied_and_writable(module: Path, tmp_path: Path) -> None:
    wanted = (source({"charts/one": "charts/one", "definition.yaml": "definitions/some.yaml"}),)

    get(wanted, tmp_path / "log", lambda _line: None)

    found = kept(wanted)
    assert sorted(str(f.relative_to(found)) for f in found.rglob("*.yaml")) == [
        "charts/one/Chart.yaml",
        "definitions/some.yaml",
    ]
    (found / "definitions" / "some.yaml").write_text("kind: Other\n")
    assert (module / "definition.yaml").read_text() == "kind: Some\n"


@pytest.mark.usefixtures("module")
def test_a_module_with_another_hash_is_an_error_and_is_not_kept(tmp_path: Path) -> None:
    wanted = (source({"definition.yaml": "some.yaml"}, pinned="h1:other"),)

    with pytest.raises(StepError, match=r"v1\.0\.0 has hash h1:pinned, but h1:other is pinned"):
        get(wanted, tmp_path / "log", lambda _line: None)

    assert not kept(wanted).exists()


def test_other_sources_have_another_folder() -> None:
    assert kept((source({"a": "b"}),)) != kept((source({"a": "c"}),))
