"""One control plane for all tests of this folder; each test has its own namespace."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.support.cluster.control_plane import Api, running
from tests.support.cluster.parts import there
from tests.support.local import until
from tools.programs import cluster_parts
from tools.programs.control_plane import CONTROL_PLANE
from tools.programs.helm import HELM


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API server of a running control plane."""
    program = there(CONTROL_PLANE.find(), "control plane")
    definitions = there(cluster_parts.definitions(), "folder of definitions")
    with running(program, tmp_path_factory.mktemp("control-plane")) as api:
        for file in sorted(definitions.iterdir()):
            body = yaml.safe_load(file.read_text())
            api.apply(body)
            until(partial(_established, api, api.path(body)), seconds=30)
        yield api


@pytest.fixture(scope="session")
def charts() -> Path:
    """The folder of charts."""
    return there(cluster_parts.charts(), "folder of charts")


@pytest.fixture(scope="session")
def helm() -> Path:
    """The folder with `helm`."""
    return there(HELM.find(), "Helm")


def _established(api: Api, path: str) -> bool | None:
    conditions = api.get(path).get("status", {}).get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions) or None
