"""At a real cloud a variant deploys, passes the contract, and leaves nothing.

Each test needs an account and costs money; without credentials it is skipped.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from analysis import plan
from tests.live.conftest import Options
from tests.support.live import budget, names, process, remains, stack
from tests.support.live.accounts import ACCOUNTS, INFERENCE_KEY, Account
from tests.support.live.stack import LiveStack

pytestmark = [pytest.mark.live, pytest.mark.timeout(0)]


def test_no_killed_run_left_a_resource(options: Options) -> None:
    """Each stack is destroyed first; a resource without a stack here is only listed."""
    reachable = {
        name: account
        for name, account in ACCOUNTS.items()
        if not account.missing(os.environ, inference=False)
    }
    lacks = [word for account in ACCOUNTS.values() for word in account.missing({}, inference=False)]
    if not reachable and not stack.all_here():
        pytest.skip(f"there is no account: set {'; or '.join(lacks)}")
    dead = [found for found in stack.all_here() if _destroyed_dead(found, options)]
    known = [found.name for found in stack.all_here()]
    left = [
        line
        for account in reachable.values()
        for line in remains.lines(
            remains.abandoned(account.look, known=known, older=timedelta(hours=options.older))
        )
    ]

    accounts = ", ".join(reachable) or "none"
    print(f"\nclean-up: {len(dead)} killed runs destroyed; accounts: {accounts}")
    assert left == [], "\n".join(["No stack here owns these. Delete them by hand:", *left])


@pytest.mark.parametrize("variant", sorted(ACCOUNTS))
def test_a_variant_deploys_passes_the_contract_and_leaves_nothing(
    variant: str, options: Options, tmp_path: Path
) -> None:
    """From `up` to `down`, within a budget and a time."""
    if options.clean or (options.variant and variant not in options.variant):
        pytest.skip("not selected")
    account = ACCOUNTS[variant]
    if missing := account.missing(os.environ):
        pytest.skip(f"{variant} needs {'; '.join(missing)}")
    config = plan.parse_overrides(options.config)
    fresh = LiveStack(name=names.new())
    deadline = time.monotonic() + options.hours * 3600
    with fresh.held(), process.stoppable():
        fresh.write(variant, config)
        try:
            _check_budget(fresh.name, options)
        except BaseException:
            fresh.forget()
            raise
        try:
            fresh.configure(os.environ[INFERENCE_KEY])
            fresh.up(seconds=_seconds(deadline))
            outputs = tmp_path / "outputs.json"
            fresh.write_outputs(outputs)
            status = _contract(options.contract, outputs, seconds=_seconds(deadline))
            unchanged = fresh.is_unchanged(seconds=_seconds(deadline))
        finally:
            left = _end(fresh, account, options)

    assert left == [], "\n".join(["After the destroy:", *left])
    assert status == 0, "The deployment fails the contract: see above."
    assert unchanged, "A deployment right after the first one would change something: see above."


def _check_budget(name: str, options: Options) -> None:
    """Print the maximum cost, and raise an error above the budget."""
    found = budget.estimate(plan.make(name).resources, limit_hours=options.hours)
    print("\n" + "\n".join(found.lines()))
    budget.refuse(found, budget=options.budget, accept_unknown=options.accept_unknown)


def _contract(tests: Path, outputs: Path, *, seconds: float) -> int:
    pytest_ = [sys.executable, "-m", "pytest", str(tests), "--outputs", str(outputs)]
    return process.run([*pytest_, "-k", "deployed"], hidden=[INFERENCE_KEY], seconds=seconds)


def _end(ended: LiveStack, account: Account, options: Options) -> list[str]:
    """Destroy a stack, and return what the cloud still lists after a while."""
    started = time.monotonic()
    ended.destroy()
    print(f"destroyed in {(time.monotonic() - started) / 60:.0f} min")
    for tidied in account.tidy(ended.name):
        print(f"deleted {tidied}, which the cloud had created")
    left = remains.settled(ended.name, account.look, seconds=options.settle * 60, pause=20)
    lines = list(remains.lines(left))
    print("\n".join(lines))
    if not lines:
        ended.forget()
    return lines


def _destroyed_dead(found: LiveStack, options: Options) -> bool:
    """Destroy a stack whose run has ended; False when its run is alive."""
    with found.held() as held, process.stoppable():
        if not held:
            return False
        account = ACCOUNTS[found.variant]
        lacks = account.missing(os.environ, inference=False)
        assert lacks == [], f"{found.name} was left by a killed run; to destroy it, set {lacks}"
        print(f"\n{found.name}: its run was killed; destroying it")
        assert _end(found, account, options) == []
        return True


def _seconds(deadline: float) -> float:
    return max(1.0, deadline - time.monotonic())
