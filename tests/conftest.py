"""What tests share: one PostgreSQL server, one stand-in and one application for the whole run."""

from collections.abc import Iterator

import pytest

from tests import local


@pytest.fixture
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the application does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[local.Server]:
    """A real PostgreSQL server."""
    with local.postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running stand-in, as environment of an application."""
    with local.standin(tmp_path_factory.mktemp("standin")) as environment:
        yield environment


@pytest.fixture(scope="session")
def application(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server, standin: dict[str, str]
) -> Iterator[local.Application]:
    """A running application, shared by all tests: each looks only at its own documents."""
    folder = tmp_path_factory.mktemp("application")
    with local.application(folder, postgres.database(), standin) as running:
        yield running
