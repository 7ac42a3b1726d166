"""Servers that the tests of a process share: PostgreSQL, the local model server, the application,
S3.

A fork may delete a variant (docs/project.md): tests about it are skipped there.
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

# Container images often forbid Python to keep bytecode. Each of the hundreds of programs that these
# tests start would then compile the clouds' SDKs anew, which took half of the engine tests' time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# pytest loads readline, which sets the width of a terminal that no started process has.
os.environ.pop("COLUMNS", None)

# Where processes share the cores, wall time says nothing about a function.
settings.register_profile("any clock", settings(), deadline=None)
settings.load_profile("any clock")

# The clouds' SDKs are half a million lasting objects: a collection at every 700 new ones took a
# third of the time of the tests that make plans.
gc.set_threshold(50_000)

GONE = {name for name in ("integrated", "split") if not (PROJECT / f"stacks/{name}.py").exists()}
"""Variants that this fork has deleted."""

SAID = pytest.StashKey[list[str]]()
"""Figures and tables that tests report at the end of the run."""


def pytest_configure(config: pytest.Config) -> None:
    """Collect the reports of the tests."""
    config.stash[SAID] = []


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Have a text printed at the end of the run."""
    return pytestconfig.stash[SAID].append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the reports of this process to the first one."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["said"] = session.config.stash[SAID]


def pytest_testnodedown(node: WorkerController) -> None:
    """Add the reports of another process; one that crashed has none."""
    node.config.stash[SAID] += getattr(node, "workeroutput", {}).get("said", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the reports."""
    for text in config.stash[SAID]:
        terminalreporter.write_line(text)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> parallel.Stories:
    """Keep tests that run in their order in one process."""
    return parallel.Stories(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest tests when processes share the run."""
    if hasattr(config, "workerinput"):
        parallel.sort(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """Skip a test whose fixtures need a variant that is deleted."""
    yield from _skipping_what_is_gone()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Skip a test that needs a variant that is deleted."""
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
def model_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running stand-in, as environment of an application."""
    with local.model_server(tmp_path_factory.mktemp("model_server")) as environment:
        yield environment


@pytest.fixture(scope="session")
def application(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server, model_server: dict[str, str]
) -> Iterator[local.Application]:
    """A running application, shared by all tests: each looks only at its own documents."""
    folder = tmp_path_factory.mktemp("application")
    with local.application(folder, postgres.database(), model_server) as running:
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
