"""Benchmarks: each measures two ways to the same result, side by side in one run, as a ratio.

`./seamless bench [NAME] [--json]`. The protocol is in `benchmarks.measure`; a simulation prints a
table of its own.
"""

import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import chunk, cold_start, docx, pdf, reduce, scaling, start, waves
from benchmarks.measure import Benchmark, Result
from tools.workspace import CommandError

BENCHMARKS: dict[str, Benchmark] = {
    "chunk": chunk.measure,
    "docx": docx.measure,
    "pdf": pdf.measure,
    "waves": waves.measure,
    "reduce": reduce.measure,
    "start": start.measure,
    "cold_start": cold_start.measure,
}

SIMULATIONS = {"scaling": scaling.run}
"""Independent of this machine, so they run only by name."""

_PACKAGES = ("httpx", "msgspec", "pypdfium2", "python-docx", "semantic-text-splitter")


def run(console: Console, name: str, *, as_json: bool) -> int:
    """Run one benchmark, or all when `name` is empty; print the results and return 0.

    Raises:
        CommandError: the name is unknown, or the two sides gave different results.
    """
    if name in SIMULATIONS:
        return SIMULATIONS[name](console, as_json=as_json)
    if name and name not in BENCHMARKS:
        known = ", ".join([*BENCHMARKS, *SIMULATIONS])
        raise CommandError(f"Unknown benchmark {name!r}. Choose one of: {known}.")
    machine = _machine()
    results: list[Result] = []
    for chosen in [name] if name else BENCHMARKS:
        if not as_json:
            console.print(f"[dim]measuring {chosen}[/]")
        results += BENCHMARKS[chosen]()
    if as_json:
        print(json.dumps({**machine, "results": [r.as_dict() for r in results]}, indent=2))
    else:
        _print(console, machine, results)
    return 0


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "packages": {package: version(package) for package in _PACKAGES},
    }


def _print(console: Console, machine: dict[str, Any], results: Sequence[Result]) -> None:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    load = " ".join(map(str, machine["load_average"]))
    console.print(
        f"Python {machine['python']} on {machine['system']}, {machine['cpus']} CPUs, "
        f"load average before {load}\n{packages}"
    )
    table = Table("benchmark", "what", "unit", box=None, pad_edge=False)
    for heading in ("median", "wall ms", "ratio", "control", "rounds", "seed"):
        table.add_column(heading, justify="right")
    for result in results:
        control = f"{result.control_ratio:.2f}"
        table.add_row(
            result.name,
            result.ours,
            result.unit,
            f"{result.ours_median:.3g}",
            _wall(result.ours_wall),
            f"[bold]{result.ratio:.2f}[/]",
            f"[yellow]{control} noisy[/]" if result.noisy else control,
            str(result.rounds),
            str(result.seed),
        )
        table.add_row(
            "",
            result.peer,
            "",
            f"{result.peer_median:.3g}",
            _wall(result.peer_wall),
            end_section=True,
        )
    console.print(table)
    console.print(
        "The ratio is ours over the peer; the control is ours over ours, "
        "and noisy outside 0.9 to 1.1."
    )


def _wall(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:.3g}"
