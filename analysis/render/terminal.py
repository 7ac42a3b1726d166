"""A plan as a tree for the terminal."""

from collections.abc import Sequence

from rich.markup import escape
from rich.tree import Tree

from analysis.cost import Charge, total
from analysis.plan import Plan
from analysis.prices import HOURS
from policies.evaluation import Violation
from policies.resource import Resource, name_of


def tree(plan: Plan) -> Tree:
    """Warnings, sizing and cost, then each resource below its parent, then the outputs."""
    top = Tree(f"[bold]{plan.stack}[/]: {plan.variant}, {plan.inference_mode}")
    for retirement in plan.retirements:
        color = "red" if retirement.retired else "yellow"
        top.add(f"[{color}]model[/]: {escape(retirement.text)}").add(
            f"[dim]remedy: {escape(retirement.remedy)}[/]"
        )
    _add_policies(top.add("policies"), plan.policies)
    for arithmetic in plan.sizing:
        top.add("sizing").add(escape(arithmetic))
    if costs := cost(plan.cost):
        branch = top.add("cost")
        for line in costs:
            branch.add(escape(line))
    children: dict[str | None, list[Resource]] = {}
    for resource in plan.resources:
        children.setdefault(resource.parent, []).append(resource)
    _add_resources(top, children, None)
    outputs = top.add("outputs")
    for name, value in plan.outputs.items():
        outputs.add(f"{name}: {escape(str(value))}")
    return top


def cost(lines: Sequence[Charge]) -> list[str]:
    """The cost without usage: the total, the most expensive lines first, then the unknown ones."""
    known: dict[tuple[object, ...], list[Charge]] = {}
    for line in lines:
        if line.usd:
            known.setdefault((line.part, line.usd, line.per, line.source), []).append(line)
    unknown = sorted({f"{name_of(u.resource)}, {u.part or u.type}" for u in lines if u.unknown})
    if not known and not unknown:
        return []
    month = total(lines)
    groups = sorted(known.values(), key=lambda group: -total(group))
    return [
        f"{'at least ' if unknown else ''}${month / HOURS:,.2f} an hour, "
        f"${month:,.0f} for a month of {HOURS} hours"
        + (f", and {len(unknown)} unknown" if unknown else ""),
        *(
            f"{sum(line.count for line in group)} x ${group[0].usd:.4f} per {group[0].per}: "
            f"{name_of(group[0].resource)}, {group[0].part} ({group[0].source or 'no source'})"
            for group in groups
        ),
        *(f"unknown: {line}" for line in unknown),
    ]


def _add_resources(
    branch: Tree, children: dict[str | None, list[Resource]], parent: str | None
) -> None:
    for resource in children.get(parent, ()):
        marks = " [yellow]protected[/]" if resource.protect else ""
        if secrets := resource.secret_inputs:
            marks += f" [dim]secret: {escape(', '.join(secrets))}[/]"
        node = branch.add(f"{escape(resource.name)} [dim]{escape(resource.type)}[/]{marks}")
        _add_resources(node, children, resource.urn)


def _add_policies(branch: Tree, violations: Sequence[Violation]) -> None:
    if not violations:
        branch.add("[green]no violations[/]")
    for violation in violations:
        color = "red" if violation.enforcement == "mandatory" else "yellow"
        branch.add(
            f"[{color}]{violation.enforcement}[/] [bold]{violation.id}[/] {violation.severity}: "
            f"{escape(name_of(violation.resource))}: {escape(violation.message)}"
        ).add(f"[dim]remedy: {escape(violation.remedy)}[/]")
