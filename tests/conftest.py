"""Servers for all tests of a process: PostgreSQL, the local model server, the application, S3.

Tests about a variant that a fork deleted (docs/project.md) are skipped.
"""

import gc
import logging
import os
import sys
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.workermanage import WorkerController

from tests.support import local, parallel
from tests.support.engine.clone import PROJECT

# Without bytecode each started program would compile the clouds' SDKs again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# pytest loads readline, which sets the width of its terminal.
os.environ.pop("COLUMNS", None)

# Processes share the cores, so that wall time varies.
settings.register_profile("any clock", settings(), deadline=None)
settings.load_profile("any clock")

# The clouds' SDKs are half a million objects, which make collections slow.
gc.set_threshold(50_000)

GONE = {name for name in ("integrated", "split") if not (PROJECT / f"stacks/{name}.py").exists()}
"""Variants that this fork has deleted."""

REPORTS = pytest.StashKey[list[str]]()
"""Texts that tests print at the end of the run."""


def pytest_configure(config: pytest.Config) -> None:
    """Collect the reports of the tests."""
    config.stash[REPORTS] = []


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Print a text at the end of the run."""
    return pytestconfig.stash[REPORTS].append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the reports of this process to the controller."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["reports"] = session.config.stash[REPORTS]


def pytest_testnodedown(node: WorkerController) -> None:
    """Add the reports of a process; a crashed one has none."""
    node.config.stash[REPORTS] += getattr(node, "workeroutput", {}).get("reports", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the reports."""
    for text in config.stash[REPORTS]:
        terminalreporter.write_line(text)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> parallel.Stories:
    """Keep each sequence of tests in one process."""
    return parallel.Stories(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the slowest tests in a parallel run."""
    if hasattr(config, "workerinput"):
        parallel.sort(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Skip a test that needs a deleted variant."""
    try:
        yield
    except Exception as error:
        messages = {f"There is no stack {name!r}" for name in GONE}
        messages |= {f"No module named 'stacks.{name}'" for name in GONE}
        if any(str(error).startswith(text) for text in messages):
            pytest.skip(f"deleted in this fork: {error}")
        raise


pytest_runtest_call = pytest_runtest_setup


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
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running local model server, as environment of an application."""
    with local.model_server(tmp_path_factory.mktemp("model_server")) as environment:
        yield environment


@pytest.fixture(scope="session")
def application(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server, model_server: dict[str, str]
) -> Iterator[local.Application]:
    """A running application for all tests; each uses only its own documents."""
    folder = tmp_path_factory.mktemp("application")
    with local.application(folder, postgres.database(), model_server) as running:
        yield running


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """URL of an S3 server that accepts every key."""
    from moto.server import ThreadedMotoServer  # slow, and few tests need it

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # else it prints each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
