"""Asks the accounts of a stack, before the engine starts, for all that would fail half-way."""

from importlib import import_module

from rich.console import Console
from rich.markup import escape

from components.preflight import Check, Finding, StackContext
from tools.workspace import CommandError, Workspace, arrangement_of


def look(workspace: Workspace) -> list[Finding]:
    """Ask everybody that the stack's arrangement depends on; nothing is changed anywhere.

    Raises:
        SettingsError: when a config value breaks its rule, which nobody need be asked for.
    """
    stack = workspace.stack.name
    modules = arrangement_of(stack).PREFLIGHT
    if not modules:
        return []
    from analysis import plan  # not for a stack that needs no account

    planned = plan.make(stack)
    context = StackContext(
        stack=stack,
        resources=planned.resources,
        outputs=planned.outputs,
        config=workspace.config(),
        existing={
            resource["urn"].rsplit("::", 1)[-1]: resource.get("outputs") or {}
            for resource in workspace.resources()
        },
    )
    checks: list[Check] = [import_module(name).check for name in modules]
    return [finding for check in checks for finding in check(context)]


def require(console: Console, workspace: Workspace) -> None:
    """Go on only when no account lacks anything; what is unknown is said.

    Raises:
        CommandError: with everything that is lacking, each with its remedy.
    """
    found = look(workspace)
    for finding in found:
        if finding.ok is None:
            console.print(f"[yellow]?[/] {finding.name}: {escape(finding.found)}", soft_wrap=True)
    if lacking := [finding for finding in found if finding.ok is False]:
        problems = "\n".join(f"{finding.found}. {finding.remedy}" for finding in lacking)
        raise CommandError(f"Nothing was changed, because it would fail:\n{problems}")
