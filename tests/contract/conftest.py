"""One host at a time for all facts; at the end one table of facts and hosts."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support import local
from tests.support.contract.application import Application, Caller, Host
from tests.support.contract.model import Model, modelled
from tests.support.contract.table import Results
from tests.support.hosts.deployed import deployed
from tests.support.hosts.functions_host import FunctionsHost, functions_host
from tests.support.hosts.lambda_host import lambda_host
from tests.support.hosts.local_host import local_host

DEPLOYED = "deployed"

_results = pytest.StashKey[Results]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for a deployed application."""
    parser.addoption(
        "--outputs",
        type=Path,
        metavar="FILE",
        help="outputs of a stack as JSON, to test a deployed application (-k deployed)",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every fact on the hosts of its file."""
    if "host" in metafunc.fixturenames:
        hosts = [
            name
            for name in metafunc.module.HOSTS
            if name != DEPLOYED or metafunc.config.getoption("outputs", None)
        ]
        metafunc.parametrize("host", hosts, indirect=True, scope="session")


@pytest.fixture(scope="session")
def model() -> Iterator[Model]:
    """The model of all hosts."""
    with modelled() as model:
        yield model


@pytest.fixture(scope="session")
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    """The application on a host, for all its facts."""
    if request.param == DEPLOYED:
        yield deployed(request.config.getoption("outputs"))
        return
    with _started(request, tmp_path_factory.mktemp(request.param)) as host:
        yield host


def _started(request: pytest.FixtureRequest, folder: Path) -> AbstractContextManager[Host]:
    server: local.Server = request.getfixturevalue("postgres")
    model: Model = request.getfixturevalue("model")
    database = server.database()
    if request.param == "local":
        return local_host(folder, database, model)
    s3: str = request.getfixturevalue("s3")
    if request.param == "lambda":
        return lambda_host(folder, database, model, s3)
    return functions_host(folder, database, model, s3)


@pytest.fixture(scope="session")
def caller(host: Application) -> Iterator[Caller]:
    """A caller with the token, and one without."""
    with Caller(host) as caller:
        yield caller


@pytest.fixture(autouse=True)
def _minute(request: pytest.FixtureRequest) -> None:
    """Each fact has a minute of its own, however fast the tests are."""
    if "host" in request.fixturenames:
        host = request.getfixturevalue("host")
        if isinstance(host, FunctionsHost):
            host.next_minute()


def pytest_configure(config: pytest.Config) -> None:
    """Register the table."""
    config.stash[_results] = Results()
    config.pluginmanager.register(config.stash[_results])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table."""
    for line in config.stash[_results].lines():
        terminalreporter.write_line(line)
