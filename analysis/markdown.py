"""Plans as one Markdown text, for the comment under a pull request."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.difference import ABSENT, Change, Input
from analysis.plan import Plan
from policies.verdict import Verdict

_LONGEST = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One plan to show.

    Attributes:
        changes: The difference; None when there is nothing to compare with.
    """

    plan: Plan
    changes: Sequence[Change] | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A stack on a rung that it does not offer, and why."""

    stack: str
    rung: str
    reason: str


def render(
    sections: Sequence[Section], refusals: Sequence[Refusal] = (), *, against: str = ""
) -> str:
    """The whole text: data that would be lost on top, then a section for each plan.

    Plans of one stack that say the same share a section.
    """
    parts = ["## Plan", *_losses(sections)]
    groups: dict[str, list[Section]] = {}
    for section in sections:
        groups.setdefault(f"{section.plan.stack}\0{_body(section, against)}", []).append(section)
    for key, group in groups.items():
        stack, _, body = key.partition("\0")
        rungs = ", ".join(section.plan.rung for section in group)
        parts.append(f"### {stack}: {rungs}\n\n{body}")
    if refusals:
        rows = [[code(r.stack), code(r.rung), _text(r.reason)] for r in refusals]
        parts.append("### Not offered\n\n" + table(["stack", "rung", "why"], rows))
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in r)} |" for r in lines
    )


def code(text: str) -> str:
    """Text that is shown as it is: no mention, link or tag in it comes to life."""
    line = " ".join(text.split())
    return f"`` {line} ``" if "`" in line else f"`{line}`"


def _losses(sections: Sequence[Section]) -> list[str]:
    lines: dict[str, list[str]] = {}
    for section in sections:
        for change in section.changes or ():
            if change.loses_data:
                line = f"{code(change.name)} ({code(change.type)}) would be {change.kind}"
                line += f": {_inputs(change)}" if change.inputs else ""
                line += "; it is protected, so `up` refuses" if change.protect else ""
                lines.setdefault(line, []).append(f"{section.plan.stack} {section.plan.rung}")
    if not lines:
        return []
    shown = [f"- **{', '.join(where)}: {line}.**" for line, where in lines.items()]
    return ["**Data would be lost:**\n\n" + "\n".join(shown)]


def _body(section: Section, against: str) -> str:
    plan = section.plan
    mandatory = [v for v in plan.policies if v.enforcement == "mandatory"]
    advisory = [v for v in plan.policies if v.enforcement != "mandatory"]
    parts = [
        f"{_count(len(plan.resources), 'resource')}; policies: "
        f"{len(mandatory)} mandatory, {len(advisory)} advisory."
    ]
    if mandatory:
        parts.append(f"**`up` refuses this:**\n\n{_verdicts(mandatory)}")
    if section.changes is not None:
        parts += _changes(section.changes, against)
    if advisory:
        summary = f"<summary>{_count(len(advisory), 'advisory verdict')}</summary>"
        parts.append(f"<details>{summary}\n\n{_verdicts(advisory)}\n\n</details>")
    return "\n\n".join(parts)


def _changes(changes: Sequence[Change], against: str) -> list[str]:
    if not changes:
        return [f"Against {code(against)}: no difference."]
    kinds = ("added", "changed", "replaced", "deleted")
    counts = [f"{sum(c.kind == kind for c in changes)} {kind}" for kind in kinds]
    rows = [
        [
            f"**{change.kind}**" if change.loses_data else change.kind,
            code(change.name),
            code(change.type),
            _inputs(change),
        ]
        for change in changes
    ]
    head = ["", "resource", "type", "inputs"]
    return [f"Against {code(against)}: {', '.join(counts)}.", table(head, rows)]


def _inputs(change: Change) -> str:
    return "; ".join(_input(found, change) for found in change.inputs)


def _input(found: Input, change: Change) -> str:
    text = code(found.path)
    if found.because:
        text += f" of {', '.join(code(name) for name in found.because)}"
    else:
        text += f" {_value(found.before)} → {_value(found.after)}"
    if found.replaces:
        return f"{text} (replaces)"
    return f"{text} (in place or not: unknown)" if found.replaces is None else text


def _value(value: Any) -> str:
    if value == ABSENT:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return code(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…") if text else "empty"


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    rows = [
        [v.id, v.severity, code(v.resource), _text(v.message), _text(v.remedy)] for v in verdicts
    ]
    return table(["rule", "severity", "resource", "what is wrong", "remedy"], rows)


def _text(text: str) -> str:
    """A sentence in which no tag comes to life."""
    return " ".join(text.split()).replace("<", "&lt;")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
