"""What tests share: one PostgreSQL server, one stand-in and one application for the whole run.

A fork may delete an arrangement (docs/fork.md): tests about it are skipped there.
"""

import logging
import os
import sys
from collections.abc import Generator, Iterator

import pytest

from tests import local
from tests.engine.clone import PROJECT

# Container images often forbid Python to keep bytecode. Each of the hundreds of programs that these
# tests start would then compile the clouds' SDKs anew, which took half of the engine tests' time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

GONE = {name for name in ("integrated", "split") if not (PROJECT / f"stacks/{name}.py").exists()}
"""Arrangements that this fork has deleted."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Skip a test whose fixtures are about an arrangement that is gone."""
    yield from _skipping_what_is_gone()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Skip a test about an arrangement that is gone."""
    yield from _skipping_what_is_gone()


def _skipping_what_is_gone() -> Generator[None]:
    try:
        yield
    except Exception as error:
        named = {f"There is no stack {name!r}" for name in GONE}
        named |= {f"No module named 'stacks.{name}'" for name in GONE}
        if any(str(error).startswith(text) for text in named):
            pytest.skip(f"deleted in this fork: {error}")
        raise


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


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """URL of a server that speaks the S3 API and accepts every key."""
    from moto.server import ThreadedMotoServer  # takes a second, which few tests need

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else it prints each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
