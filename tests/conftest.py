"""What tests share: one PostgreSQL server, one stand-in and one application for each process.

A fork may delete an arrangement (docs/project.md): tests about it are skipped there.
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

from tests import local, parallel
from tests.engine.clone import PROJECT

# Container images often forbid Python to keep bytecode. Each of the hundreds of programs that these
# tests start would then compile the clouds' SDKs anew, which took half of the engine tests' time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# pytest loads readline, which tells whatever it starts, such as another process of a run, how wide
# a terminal is that is not there.
os.environ.pop("COLUMNS", None)

# A wall clock tells nothing of a function where processes share the cores.
settings.register_profile("any clock", settings(), deadline=None)
settings.load_profile("any clock")

# The clouds' SDKs are half a million objects that stay: going over them at every 700 new ones took
# a third of the time of the tests that make plans.
gc.set_threshold(50_000)

GONE = {name for name in ("integrated", "split") if not (PROJECT / f"stacks/{name}.py").exists()}
"""Arrangements that this fork has deleted."""

SAID = pytest.StashKey[list[str]]()
"""What tests have to say beside that they pass: figures, tables."""


def pytest_configure(config: pytest.Config) -> None:
    """Listen to the tests, also to those of other processes."""
    config.stash[SAID] = []


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Have a text printed at the end of the run."""
    return pytestconfig.stash[SAID].append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the first process what was said in this one."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["said"] = session.config.stash[SAID]


def pytest_testnodedown(node: WorkerController) -> None:
    """Hear what was said in another process; one that crashed says nothing."""
    node.config.stash[SAID] += getattr(node, "workeroutput", {}).get("said", [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was said."""
    for text in config.stash[SAID]:
        terminalreporter.write_line(text)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> parallel.Stories:
    """Keep stories together when processes share the run."""
    return parallel.Stories(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest when processes share the run."""
    if hasattr(config, "workerinput"):
        parallel.sort(items)


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
