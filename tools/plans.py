"""Plans of many stacks and rungs, and of another commit: what `./seamless plan` shows of them."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from analysis.difference import difference
from analysis.markdown import Refusal, Section, render
from analysis.plan import Plan, make, parse_overrides
from analysis.resources import PlannedResource
from functions.endpoint import Rung
from stacks.errors import ConfigError
from tools.workspace import ROOT, CommandError, stack_names

Former = Mapping[tuple[str, str], Sequence[PlannedResource]]
"""The resources of former plans, by stack and rung."""

_SAME_PACKAGES = ("pyproject.toml", "uv.lock")
_FIELDS = {field.name for field in fields(PlannedResource)}


def make_one(stack: str, config: Sequence[str]) -> tuple[list[Plan], list[Refusal]]:
    """The plan of a stack, with config of the command line, as `KEY=VALUE`."""
    return [make(stack, parse_overrides(config))], []


def make_all(config: Sequence[str]) -> tuple[list[Plan], list[Refusal]]:
    """A plan of every stack on every rung, and which of them are not offered."""
    plans, refusals = [], []
    for stack, rung in _combinations(stack_names()):
        try:
            plans.append(make(stack, {**parse_overrides(config), "inference_mode": rung}))
        except ConfigError as error:
            refusals.append(Refusal(stack=stack, rung=rung, reason=str(error)))
    return plans, refusals


def as_markdown(
    plans: Sequence[Plan],
    refusals: Sequence[Refusal],
    config: Sequence[str],
    *,
    against: str = "",
    every: bool = False,
) -> str:
    """The Markdown for plans, with what they change.

    Args:
        against: A commit or a file to compare with; empty compares with nothing.
        every: Whether all that there was is compared, also what is not planned any more.

    Raises:
        CommandError: when there is nothing to compare with.
    """
    former = _former(against, None if every else plans, config) if against else None
    return render(_sections(plans, former), refusals, against=against)


def _sections(plans: Sequence[Plan], former: Former | None) -> list[Section]:
    """Plans with what they change; what was there and is not any more comes last, without policies.

    A stack or a rung that is new adds all that it has.
    """
    if former is None:
        return [Section(plan=plan) for plan in plans]
    shown = [
        Section(
            plan=plan,
            changes=difference(former.get((plan.stack, plan.rung), ()), plan.resources),
        )
        for plan in plans
    ]
    planned = {(plan.stack, plan.rung) for plan in plans}
    for (stack, rung), resources in former.items():
        if (stack, rung) not in planned:
            gone = Plan(stack=stack, arrangement="", rung=rung, resources=[], outputs={})
            shown.append(Section(plan=gone, changes=difference(resources, ())))
    return shown


def breaks_a_mandatory_rule(plans: Sequence[Plan]) -> bool:
    """True when `up` would refuse one of them."""
    return any(verdict.enforcement == "mandatory" for plan in plans for verdict in plan.policies)


def _former(against: str, plans: Sequence[Plan] | None, config: Sequence[str]) -> Former:
    """The plans to compare with; for None all that there were."""
    file = Path(against)
    if file.is_file():
        there = _read(file.read_text(), against)
        keys = list(there) if plans is None else [(plan.stack, plan.rung) for plan in plans]
        return {key: there[key] for key in keys if key in there}
    with _checkout(against) as folder, ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        stacks = stack_names(folder)
        keys = list(_combinations(stacks) if plans is None else ((p.stack, p.rung) for p in plans))
        found = pool.map(
            lambda key: _plan_in(folder, key[0], key[1], config, against),
            [key for key in keys if key[0] in stacks],
        )
        return {key: resources for each in found for key, resources in each.items()}


def _combinations(stacks: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((stack, rung) for stack in stacks for rung in get_args(Rung))


@contextmanager
def _checkout(commit: str) -> Iterator[Path]:
    """The files of a commit in a folder of their own, which goes away again."""
    # A name that begins with a dash is no option.
    known = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if known.returncode:
        raise CommandError(
            f"--against {commit}: there is no such file, and git knows no such commit. "
            "In a shallow clone, fetch it: git fetch --depth=1 origin BRANCH, then FETCH_HEAD"
        )
    archive = _git("archive", "--format=tar", known.stdout.decode().strip())
    if archive.returncode:
        raise CommandError(f"--against {commit}: {archive.stderr.decode().strip()}")
    with tempfile.TemporaryDirectory(prefix="seamless-") as name:
        folder = Path(name).resolve()
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
            packed.extractall(folder, filter="data")
        if not (folder / "seamless").is_file():
            raise CommandError(f"--against {commit}: that commit has no ./seamless to plan with.")
        yield folder


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)


def _plan_in(
    folder: Path, stack: str, rung: str, config: Sequence[str], against: str
) -> dict[tuple[str, str], list[PlannedResource]]:
    """Run a commit's own `plan`; nothing when it refuses, as for a rung that it does not offer."""
    # The same packages are here already; others need an environment, which ./seamless makes.
    same = all((folder / f).read_bytes() == (ROOT / f).read_bytes() for f in _SAME_PACKAGES)
    start = [sys.executable, "-P", "-m", "tools"] if same else [str(folder / "seamless")]
    options = [f"--config={pair}" for pair in (*config, f"inference_mode={rung}")]
    done = subprocess.run(
        [*start, "plan", stack, "--json", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        # A path into that folder is the same path in this one.
        return _read(done.stdout.replace(str(folder), str(ROOT)), against)
    if any(line.startswith("seamless:") for line in done.stderr.splitlines()):
        return {}
    raise CommandError(f"--against {against}: its plan of {stack} failed:\n{done.stderr[-2000:]}")


def _read(text: str, against: str) -> dict[tuple[str, str], list[PlannedResource]]:
    """One plan of `plan --json`, or the list of `plan --all --json`."""
    try:
        found: Any = json.loads(text)
        return {
            (plan["stack"], plan["rung"]): [
                PlannedResource(**{k: v for k, v in each.items() if k in _FIELDS})
                for each in plan["resources"]
            ]
            for plan in (found if isinstance(found, list) else [found])
        }
    except (ValueError, TypeError, KeyError) as error:
        raise CommandError(
            f"--against {against}: that is no plan. Make one: ./seamless plan STACK --json > FILE"
        ) from error
