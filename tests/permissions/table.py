"""Recorded calls as data, and the recorded part of `catalog/permissions.yaml`."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preflight.aws_permissions import PHASES, Phase
from tests.permissions.actions import actions, resource
from tests.permissions.terraform import Call

FILE = Path(__file__).with_name("recorded.json")
"""Distinct calls by type and phase, written by `record`."""

RUN = FILE.with_name("run.json")
"""Dates, versions and numbers of the recorded run, which docs/permissions.md shows."""

BEGIN, END = "# begin recorded\n", "# end recorded\n"


@dataclass(frozen=True, kw_only=True, order=True)
class Recorded:
    """An API operation that the provider called for a type in a phase."""

    type: str
    phase: Phase
    call: Call


def distinct(calls: Mapping[Phase, Iterable[Call]], types: Mapping[str, str]) -> list[Recorded]:
    """Each operation once for each type and phase.

    Args:
        calls: The calls by the phase of the stack; a read within another phase is a read.
        types: Pulumi's type token by Terraform's type.
    """
    return sorted(
        {
            Recorded(type=types[call.kind], phase="read" if call.reads else phase, call=call)
            for phase, made in calls.items()
            for call in made
            if call.kind in types
        }
    )


def numbers(recorded: Iterable[Recorded]) -> dict[str, int]:
    """How many operations, actions and types were recorded."""
    recorded = list(recorded)
    return {
        "operations": len({(each.call.service, each.call.operation) for each in recorded}),
        "actions": len({action for each in recorded for action in actions(each.call)}),
        "types": len({each.type for each in recorded}),
    }


def source(facts: Mapping[str, Any]) -> str:
    """The source of the recorded part of the table."""
    versions = facts["versions"]
    return (
        "recorded by python -m tests.permissions.record, "
        f"provider {versions['hashicorp/aws']} against moto {versions['moto']}"
    )


def save(recorded: Iterable[Recorded], facts: Mapping[str, Any]) -> None:
    """Write the data files."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for each in recorded:
        words = [each.call.service, each.call.operation, each.call.verb]
        text = "/".join(word for word in words if word)
        if text not in found[each.type][each.phase]:
            found[each.type][each.phase].append(text)
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    RUN.write_text(json.dumps(facts, indent=1) + "\n")


def load() -> list[Recorded]:
    """Read the recorded calls."""
    found = json.loads(FILE.read_text())
    return [
        Recorded(type=type_, phase=phase, call=_call(text))
        for type_, phases in found.items()
        for phase, texts in phases.items()
        for text in texts
    ]


def _call(text: str) -> Call:
    service, operation, *verb = text.split("/")
    return Call(kind="", reads=False, service=service, operation=operation, verb="".join(verb))


def by_type(recorded: Iterable[Recorded]) -> dict[str, dict[Phase, list[str]]]:
    """Actions by type and phase; each once, in the first of read, create, delete and update."""
    found: dict[str, dict[Phase, set[str]]] = defaultdict(lambda: defaultdict(set))
    for each in recorded:
        found[each.type][each.phase] |= set(actions(each.call))
    result: dict[str, dict[Phase, list[str]]] = {}
    for type_, phases in sorted(found.items()):
        earlier: set[str] = set()
        result[type_] = {}
        for phase in ("read", "create", "delete", "update"):
            result[type_][phase] = sorted(phases[phase] - earlier)
            earlier |= phases[phase]
    return result


def rows(recorded: Iterable[Recorded]) -> list[dict[str, Any]]:
    """The rows of the table."""
    return [
        {"type": type_, "needs": list(_needs(phases))}
        for type_, phases in by_type(recorded).items()
    ]


def _needs(phases: Mapping[Phase, Iterable[str]]) -> Iterator[dict[str, Any]]:
    found: dict[str, dict[Phase, list[str]]] = defaultdict(dict)
    for phase in PHASES:
        for action in phases[phase]:
            found[resource(action)].setdefault(phase, []).append(action)
    for at, needed in sorted(found.items(), key=lambda item: (item[0] == "*", item[0])):
        yield {"resource": at} | {str(phase): some for phase, some in needed.items()}


def text(recorded: Iterable[Recorded], source: str, seen: str) -> str:
    """The recorded group, as YAML."""
    lines = ["- source: >-", f"    {source}", f"  seen: {seen}", "  rows:"]
    for row in rows(recorded):
        lines += [f"    - type: {row['type']}", "      needs:"]
        for need in row["needs"]:
            lines.append(f'        - resource: "{need["resource"]}"')
            for phase in PHASES:
                if phase in need:
                    lines += _list(f"          {phase}: ", need[phase])
    return "\n".join(lines) + "\n"


def _list(start: str, words: list[str]) -> Iterator[str]:
    """A YAML list on lines of at most 100 characters."""
    line = f"{start}[{', '.join(words)}]"
    if len(line) <= 100:
        yield line
        return
    yield f"{start}["
    line = " " * 11
    for word in words:
        if len(line) + len(word) + 2 > 100:
            yield line
            line = " " * 11
        line += f" {word},"
    yield line
    yield " " * 10 + "]"


def replace(table: str, recorded: str) -> str:
    """The table with another recorded part."""
    before, _, rest = table.partition(BEGIN)
    return before + BEGIN + recorded + END + rest.partition(END)[2]
