"""check and test: the same commands at home and in CI."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape

from tools.docs import generate
from tools.engine.installation import ensure as ensure_engine
from tools.programs.actionlint import ACTIONLINT
from tools.programs.chromium import ensure as ensure_chromium
from tools.programs.chromium import find as find_chromium
from tools.programs.cluster_parts import ensure as ensure_cluster_parts
from tools.programs.control_plane import CONTROL_PLANE
from tools.programs.groups import GROUPS
from tools.programs.helm import HELM
from tools.workspace import ROOT, CommandError

PARTS = {
    "all": ["-m", "not (cluster or nightly)"],
    "unit": ["-m", "not (engine or browser or cluster or nightly)"],
    "contract": ["tests/contract"],
    "cluster": ["-m", "cluster"],
    "engine": ["-m", "engine"],
    "browser": ["-m", "browser"],
    "nightly": ["-m", "nightly"],
    "live": ["tests/live", "-m", "live", "-s"],
}

PARALLEL = {"all", "unit", "contract", "engine"}
"""Parts that run in one process for each core; each of the others is a single sequence of tests."""

SINGLE_PROCESS = {"-s", "--capture=no", "--pdb", "--trace"}
"""Arguments of pytest that need one process, whose input and output they use."""

MOST_PROCESSES = 8
"""More would wait for the longest sequence of tests; each process takes half a GB."""


def check(console: Console) -> int:
    """Run every check, all of them also when one fails; return 0 when all pass.

    Raises:
        CommandError: when a tool cannot be had.
    """
    failed = []
    for name, command in {
        "format": [sys.executable, "-m", "ruff", "format", "--check", "."],
        "lint": [sys.executable, "-m", "ruff", "check", "."],
        "types": [sys.executable, "-m", "mypy"],
        # What else is on a machine, such as shellcheck, would make it find other things.
        "workflows": [
            str(ACTIONLINT.ensure(console.print) / "actionlint"),
            "-shellcheck=",
            "-pyflakes=",
        ],
        # Offline: the same answer everywhere, and no token.
        "workflows' security": [
            *(str(Path(sys.executable).with_name("zizmor")), "--offline", "--quiet"),
            *("--persona=pedantic", "--no-progress", "--strict-collection", ".github"),
        ],
    }.items():
        console.print(f"[bold]{name}[/]: {escape(_shown(command))}")
        began = time.monotonic()
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(name)
        console.print(f"[dim]{time.monotonic() - began:.1f} s[/]")
    console.print("[bold]documentation[/]: generated parts are fresh")
    for path in generate.stale():
        console.print(f"[red]stale:[/] {path}. Write it anew: ./seamless docs")
        failed.append("documentation")
    console.print(f"[red]failed: {', '.join(failed)}[/]" if failed else "[green]all checks pass[/]")
    return 1 if failed else 0


def _shown(command: Sequence[str]) -> str:
    """A command line as a person would type it."""
    words = [Path(word).name if Path(word).is_absolute() else word for word in command]
    return " ".join(words[2:] if words[1:2] == ["-m"] else words)


def test(console: Console, part: str, arguments: Sequence[str]) -> int:
    """Get what a part of the tests needs, and run it; return pytest's status.

    Arguments go to pytest and keep the run parallel, but for those of SINGLE_PROCESS and `-n0`.

    Raises:
        CommandError: when there is no such part.
    """
    if part.startswith("-"):  # an option of pytest, without a part
        part, arguments = "all", [part, *arguments]
    if part not in PARTS:
        raise CommandError(f"There is no part {part!r} of the tests. There are {', '.join(PARTS)}.")
    if part in ("all", "engine", "live", "nightly"):
        engine = ensure_engine(console.print)
        console.print(f"engine: Pulumi {engine.version} ({engine.source})")
    if part in ("all", "browser", "nightly"):
        browser = find_chromium() or ensure_chromium(console.print)
        console.print(f"browser: {browser}" if browser else "browser: none; its tests are skipped")
    if part == "cluster":
        console.print(f"control plane: {CONTROL_PLANE.ensure(console.print)}")
        console.print(f"Helm: {HELM.ensure(console.print)}")
        console.print(f"groups: {GROUPS.ensure(console.print)}")
        ensure_cluster_parts(console.print)
    if part == "live":
        # `./seamless test live split` names a variant.
        places = {file.stem for file in (ROOT / "stacks").glob("[!_]*.py")}
        arguments = [f"--variant={a}" if a in places else a for a in arguments]
    # A later -n of the arguments wins.
    parallel = part in PARALLEL and SINGLE_PROCESS.isdisjoint(arguments)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *PARTS[part], *(_processes() * parallel), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    ).returncode


def explain_live(console: Console) -> None:
    """Print what a live run does, needs and costs: the document up to its steps."""
    document = (ROOT / "docs" / "live.md").read_text()
    console.print(Markdown(document.partition("\n## Steps")[0]))


def _processes() -> list[str]:
    """Options that make pytest-xdist use the cores of this process (tests/support/parallel.py)."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return ["-n", str(min(cores, MOST_PROCESSES)), "--no-loadscope-reorder"] if cores > 1 else []
