"""Plans as one Markdown text, for a pull-request comment."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.cost import Charge, changed, total
from analysis.diff import ABSENT, Change, Input
from analysis.plan import Plan
from policies.evaluation import Violation
from policies.resource import name_of

_LONGEST = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """One plan to show.

    Attributes:
        changes: The difference to an earlier plan; None without a comparison.
        unknown_inputs: Number of inputs that are unknown in both plans.
        cost_before: The cost of the earlier plan.
        problem: Why the earlier plan cannot be read; empty if it can.
    """

    plan: Plan
    changes: Sequence[Change] | None = None
    unknown_inputs: int = 0
    cost_before: Sequence[Charge] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class RefusedMode:
    """An inference mode that a stack does not offer, and the reason."""

    stack: str
    inference_mode: str
    reason: str


def render(
    sections: Sequence[Section], refusals: Sequence[RefusedMode] = (), *, against: str = ""
) -> str:
    """The whole text: first the data that would be lost, then a section for each plan.

    Plans of one stack with the same text share a section.
    """
    parts = ["## Plan", *_losses(sections)]
    groups: dict[str, list[Section]] = {}
    for section in sections:
        groups.setdefault(f"{section.plan.stack}\0{_body(section, against)}", []).append(section)
    for key, group in groups.items():
        stack, _, body = key.partition("\0")
        inference_modes = ", ".join(section.plan.inference_mode for section in group)
        parts.append(f"### {stack}: {inference_modes}\n\n{body}")
    if refusals:
        rows = [[code(r.stack), code(r.inference_mode), _text(r.reason)] for r in refusals]
        parts.append("### Not offered\n\n" + table(["stack", "inference mode", "reason"], rows))
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in r)} |" for r in lines
    )


def code(text: str) -> str:
    """Text as inline code: mentions, links and tags in it stay plain."""
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
                lines.setdefault(line, []).append(
                    f"{section.plan.stack} {section.plan.inference_mode}"
                )
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
    parts += [
        f"**Model: {_text(found.text)}.** Choose another one: {code(found.remedy)}"
        for found in plan.retirements
    ]
    if mandatory:
        parts.append(f"**`up` refuses this:**\n\n{_violations(mandatory)}")
    parts += _cost(section)
    if section.problem:
        problem = _text(section.problem)
        parts.append(f"{code(against)} cannot be planned by this version: {problem}")
    if section.changes is not None:
        parts += _changes(section.changes, section.unknown_inputs, against)
    if advisory:
        summary = f"<summary>{_count(len(advisory), 'advisory violation')}</summary>"
        parts.append(f"<details>{summary}\n\n{_violations(advisory)}\n\n</details>")
    return "\n\n".join(parts)


def _cost(section: Section) -> list[str]:
    """The monthly total, the lines that changed, and the lines whose price is unknown."""
    after, before = section.plan.cost, section.cost_before
    if not after and not before:
        return []
    parts = []
    if section.changes is None:
        parts.append(f"Cost per month without usage: {_total(after)}.")
    else:
        pairs = changed(before, after)
        parts.append(
            f"Cost per month without usage: {_total(before)} before, {_total(after)} after, "
            f"difference {_delta(pairs)}."
        )
        if rows := [_cost_row(old, new) for old, new in pairs]:
            parts.append(table(["resource", "part", "before", "after", "difference"], rows))
    unknown = sorted({_named(line) for line in after if line.unknown})
    if unknown:
        parts.append(f"Unknown prices: {', '.join(unknown)}.")
    return parts


def _delta(pairs: Sequence[tuple[Charge, Charge]]) -> str:
    """The difference of the monthly cost, without the lines whose price is unknown on a side."""
    unknown = {code(name_of(new.resource)) for old, new in pairs if old.unknown or new.unknown}
    known = [pair for pair in pairs if not any(line.unknown for line in pair)]
    delta = _signed(total(new for _, new in known) - total(old for old, _ in known))
    if not unknown:
        return delta
    return f"unknown (known parts: {delta}; unknown: {', '.join(sorted(unknown))})"


def _named(line: Charge) -> str:
    return f"{code(name_of(line.resource))} ({line.part or code(line.type)})"


def _cost_row(before: Charge, after: Charge) -> list[str]:
    one, other = before.usd_month, after.usd_month
    delta = "" if one is None or other is None else _signed(other - one)
    part = after.part or code(after.type)
    return [code(name_of(after.resource)), part, _month(before), _month(after), delta]


def _month(line: Charge) -> str:
    if line.unknown:
        return "unknown" if line.count == 1 else f"{line.count} x unknown"
    if line.usd_month is None:
        return "by use"
    return _usd(line.usd_month)


def _total(lines: Sequence[Charge]) -> str:
    at_least = "at least " if any(line.unknown for line in lines) else ""
    return f"{at_least}{_usd(total(lines))}"


def _usd(amount: float) -> str:
    return f"{amount:,.2f} USD"  # two dollar signs in a line would be a formula at GitHub


def _signed(amount: float) -> str:
    return f"{amount:+,.2f} USD" if round(amount, 2) else "none"


def _changes(changes: Sequence[Change], unknown: int, against: str) -> list[str]:
    if not changes and unknown:
        inputs = f"{_count(unknown, 'input')} {'is' if unknown == 1 else 'are'}"
        return [
            f"Against {code(against)}: no difference in known inputs; "
            f"{inputs} known only after deployment."
        ]
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
        text += f" of {', '.join(code(name_of(urn)) for urn in found.because)}"
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


def _violations(violations: Sequence[Violation]) -> str:
    rows = [
        [v.id, v.severity, code(name_of(v.resource)), _text(v.message), _text(v.remedy)]
        for v in violations
    ]
    return table(["rule", "severity", "resource", "what is wrong", "remedy"], rows)


def _text(text: str) -> str:
    """Text in which tags stay plain."""
    return " ".join(text.split()).replace("<", "&lt;")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
