"""Options of a live run; live tests are selected only by `-m live`."""

import re
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from tests.support.live.accounts import ACCOUNTS


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a live run, as `pytest_addoption` describes them."""

    variant: list[str] | None
    config: list[str]
    budget: float
    hours: float
    accept_unknown: bool
    clean: bool
    older: float
    settle: float
    contract: Path


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a live run."""
    group = parser.getgroup("live", "deploy to real clouds (./seamless test live)")
    group.addoption(
        "--variant", action="append", choices=sorted(ACCOUNTS), help="deploy only this variant"
    )
    group.addoption(
        "--config",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="config of the deployed stack, such as inference_mode=cluster",
    )
    group.addoption(
        "--budget", type=float, default=8.0, metavar="USD", help="per variant (%(default)s)"
    )
    group.addoption("--hours", type=float, default=1.5, help="until it is destroyed (%(default)s)")
    group.addoption(
        "--accept-unknown-prices",
        dest="accept_unknown",
        action="store_true",
        help="deploy although a price is unknown",
    )
    group.addoption("--clean", action="store_true", help="only destroy the stacks of killed runs")
    group.addoption(
        "--older",
        type=float,
        default=6.0,
        metavar="HOURS",
        help="minimum age of a reported resource without a stack here (%(default)s)",
    )
    group.addoption(
        "--settle",
        type=float,
        default=15.0,
        metavar="MINUTES",
        help="how long a cloud may list deleted resources (%(default)s)",
    )
    group.addoption(
        "--contract",
        type=Path,
        default=Path("tests/contract"),
        help="tests that a deployment must pass (%(default)s)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect live tests unless `-m` names them."""
    if asks_for_live(config.option.markexpr or ""):
        return
    live = [item for item in items if item.get_closest_marker("live")]
    if live:
        config.hook.pytest_deselected(items=live)
        items[:] = [item for item in items if item not in live]


def asks_for_live(expression: str) -> bool:
    """True when a `-m` expression names `live`, and not only to exclude it."""
    return re.search(r"(?<!not )\blive\b", expression) is not None


@pytest.fixture
def options(pytestconfig: pytest.Config) -> Options:
    """The options of the command line."""
    return Options(**{each.name: pytestconfig.getoption(each.name) for each in fields(Options)})
