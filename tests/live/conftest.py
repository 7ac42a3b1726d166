"""Options of a live run, and that nothing live is ever selected by chance."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.live.accounts import ACCOUNTS


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a person decides about a live run.

    Attributes:
        variants: Which are deployed.
        budget: US dollars that one variant may cost.
        hours: After which it is destroyed, whatever it does.
        accept_unknown: True goes ahead although a price is unknown.
        clean: True only cleans up.
        older: Hours after which what has no state here counts as abandoned.
        settle: Minutes that a cloud may go on to list what is deleted: lists are told late.
        contract: The tests that a deployment has to pass, given `--outputs FILE`.
    """

    variants: tuple[str, ...]
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
        "--variant",
        action="append",
        choices=sorted(ACCOUNTS),
        help="deploy this one; all of which the credentials are there when not given",
    )
    group.addoption(
        "--budget", type=float, default=6.0, metavar="USD", help="for one variant (%(default)s)"
    )
    group.addoption("--hours", type=float, default=1.5, help="until it is destroyed (%(default)s)")
    group.addoption(
        "--accept-unknown-prices", action="store_true", help="go ahead when a price is unknown"
    )
    group.addoption("--clean", action="store_true", help="only destroy what killed runs left")
    group.addoption(
        "--older",
        type=float,
        default=6.0,
        metavar="HOURS",
        help="report what no stack here owns when it is older (%(default)s)",
    )
    group.addoption(
        "--settle",
        type=float,
        default=15.0,
        metavar="MINUTES",
        help="how long a cloud may list what is deleted (%(default)s)",
    )
    group.addoption(
        "--contract",
        type=Path,
        default=Path("tests/contract"),
        help="tests that a deployment has to pass (%(default)s)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is live unless `-m` asks for it by name."""
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
    """What the command line says."""
    return Options(
        variants=tuple(pytestconfig.getoption("--variant") or sorted(ACCOUNTS)),
        budget=pytestconfig.getoption("--budget"),
        hours=pytestconfig.getoption("--hours"),
        accept_unknown=pytestconfig.getoption("--accept-unknown-prices"),
        clean=pytestconfig.getoption("--clean"),
        older=pytestconfig.getoption("--older"),
        settle=pytestconfig.getoption("--settle"),
        contract=pytestconfig.getoption("--contract"),
    )
