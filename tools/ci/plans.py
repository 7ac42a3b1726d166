"""Plans of several stacks and inference modes, compared with those of another commit or file."""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from analysis import PlanError
from analysis.diff import difference, unknown_inputs
from analysis.former import Former, FormerPlan, read
from analysis.plan import Plan, make, parse_overrides
from analysis.render.markdown import RefusedMode, Section, render
from functions.inference.endpoint import InferenceMode
from stacks.errors import ModeNotOfferedError
from tools.workspace import ROOT, CommandError, stack_names

_NOT_OFFERED = "Inference mode not offered: "
"""Opening of the error of a plan; a later version finds it in the output of this one."""

_SAME_PACKAGES = ("pyproject.toml", "uv.lock")


def make_one(stack: str, config: Sequence[str]) -> tuple[list[Plan], list[RefusedMode]]:
    """The plan of one stack, with config overrides as `KEY=VALUE`."""
    try:
        return [make(stack, parse_overrides(config))], []
    except ModeNotOfferedError as error:
        raise CommandError(f"{_NOT_OFFERED}{error}") from error


def make_all(config: Sequence[str]) -> tuple[list[Plan], list[RefusedMode]]:
    """The plan of every stack in every inference mode, and the modes that are not offered.

    Raises:
        CommandError: if the overrides have an inference mode.
        ConfigError: if a config value is invalid.
    """
    overrides = parse_overrides(config)
    if "inference_mode" in overrides:
        raise CommandError(
            f"--config inference_mode={overrides['inference_mode']}: "
            "--all plans every inference mode. Leave out one of the two"
        )
    plans, refusals = [], []
    for stack, inference_mode in _combinations(stack_names()):
        try:
            plans.append(make(stack, {**overrides, "inference_mode": inference_mode}))
        except ModeNotOfferedError as error:
            refusals.append(
                RefusedMode(stack=stack, inference_mode=inference_mode, reason=str(error))
            )
    return plans, refusals


def as_markdown(
    plans: Sequence[Plan],
    refusals: Sequence[RefusedMode],
    config: Sequence[str],
    *,
    against: str = "",
    every: bool = False,
) -> str:
    """Render plans as Markdown, with their difference to earlier plans.

    Args:
        against: A commit, or a file from `plan --json`; empty compares with nothing.
        every: True also shows earlier plans whose stack or inference mode no longer exists.

    Raises:
        CommandError: if there is no such commit, file or plan.
        PlanError: if the file is not a plan.
    """
    try:
        former = _former(against, None if every else plans, config) if against else None
        return render(_sections(plans, refusals, former), refusals, against=against)
    except (RecursionError, OverflowError) as error:
        raise PlanError(f"--against {against}: its values are too deep or too large") from error


def _sections(
    plans: Sequence[Plan], refusals: Sequence[RefusedMode], former: Former | None
) -> list[Section]:
    """The plans with their changes, then the earlier plans whose stack no longer exists.

    A new stack, or an inference mode that was not offered before, adds all its resources.
    """
    if former is None:
        return [Section(plan=plan) for plan in plans]
    kept = {(plan.stack, plan.inference_mode) for plan in plans}
    kept |= {(refusal.stack, refusal.inference_mode) for refusal in refusals}
    gone = [
        Plan(stack=stack, variant="", inference_mode=inference_mode, resources=[], outputs={})
        for stack, inference_mode in former
        if (stack, inference_mode) not in kept
    ]
    return [
        _compared(plan, former.get((plan.stack, plan.inference_mode), FormerPlan()))
        for plan in (*plans, *gone)
    ]


def _compared(plan: Plan, before: FormerPlan) -> Section:
    if before.problem:
        return Section(plan=plan, problem=before.problem)
    return Section(
        plan=plan,
        changes=difference(before.resources, plan.resources),
        unknown_inputs=unknown_inputs(before.resources, plan.resources),
        cost_before=before.cost,
    )


def breaks_a_mandatory_rule(plans: Sequence[Plan]) -> bool:
    """True if `up` would refuse one of the plans."""
    return any(
        violation.enforcement == "mandatory" for plan in plans for violation in plan.policies
    )


def _former(against: str, plans: Sequence[Plan] | None, config: Sequence[str]) -> Former:
    """The earlier plans of these plans; all of them for None."""
    if os.path.isfile(against):  # noqa: PTH113  # Path.is_file() fails for a long name
        there = read(_content(against), against)
        if plans is None and len(there) > 1:
            return there  # of `plan --all`: what it lacks is new
        keys = (
            [*_combinations(stack_names())]
            if plans is None
            else [(plan.stack, plan.inference_mode) for plan in plans]
        )
        for stack, inference_mode in keys:
            if (stack, inference_mode) not in there:
                names = ", ".join(" ".join(key) for key in there) or "none"
                raise CommandError(
                    f"--against {against}: it has no plan of {stack} {inference_mode}; "
                    f"it has {names}"
                )
        return {key: there[key] for key in keys}
    with _checkout(against) as folder, ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        stacks = stack_names(folder)
        keys = list(
            _combinations(stacks) if plans is None else ((p.stack, p.inference_mode) for p in plans)
        )
        keys = [key for key in keys if key[0] in stacks]
        found = pool.map(lambda key: _plan_in(folder, key[0], key[1], config, against), keys)
        return {key: plan for key, plan in zip(keys, found, strict=True) if plan}


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise PlanError(f"--against {file}: {error.strerror}") from error


def _combinations(stacks: Sequence[str]) -> Iterator[tuple[str, str]]:
    return (
        (stack, inference_mode) for stack in stacks for inference_mode in get_args(InferenceMode)
    )


@contextmanager
def _checkout(commit: str) -> Iterator[Path]:
    """The files of a commit in a temporary folder."""
    # Keeps a name that begins with a dash from being read as an option.
    known = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if known.returncode:
        raise CommandError(
            f"--against {commit:.100}: there is no such file, and git knows no such commit. "
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
    folder: Path, stack: str, inference_mode: str, config: Sequence[str], against: str
) -> FormerPlan | None:
    """Run the commit's own `plan`; None if the commit does not offer this inference mode."""
    # With equal packages this environment fits; otherwise ./seamless makes the commit's own.
    same = all(
        (folder / f).is_file() and (folder / f).read_bytes() == (ROOT / f).read_bytes()
        for f in _SAME_PACKAGES
    )
    start = [sys.executable, "-P", "-m", "tools"] if same else [str(folder / "seamless")]
    options = [f"--config={pair}" for pair in (*config, f"inference_mode={inference_mode}")]
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
        try:
            # Paths into the temporary folder are compared with the same paths here.
            output = done.stdout.replace(str(folder), str(ROOT)).encode()
            (plan,) = read(output, against).values()
        except PlanError as error:
            return FormerPlan(problem=str(error))
        return plan
    message = done.stderr.strip().replace(f"{folder}/", "")
    _, found, problem = f"\n{message}".rpartition("\nseamless: ")
    if problem.startswith(_NOT_OFFERED):
        return None
    last = message.splitlines()[-1:] or [f"exit code {done.returncode}"]
    return FormerPlan(problem=problem if found else last[0])
