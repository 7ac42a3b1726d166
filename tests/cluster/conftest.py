"""One control plane for all tests of this folder; each test has a namespace of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.control_plane import Api, running
from tools.control_plane import find


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The API server of a running control plane."""
    program: Path | None = find()
    if program is None:
        pytest.skip("no control plane is built: ./seamless test cluster builds it")
    with running(program, tmp_path_factory.mktemp("control-plane")) as api:
        yield api
