"""Read-only checks of a stack's accounts before the engine starts."""

from datetime import date
from importlib import import_module

from rich.console import Console
from rich.markup import escape

from preflight.checks import Check, Command, Finding, StackContext
from tools.workspace import CommandError, Workspace, variant_of


def look(
    workspace: Workspace, command: Command = "up", *, today: date | None = None
) -> list[Finding]:
    """Run the checks of the stack's variant, and warn of retiring models. Changes nothing.

    Args:
        command: What the account must allow.
        today: By default the present date.

    Raises:
        ConfigError: a config value is invalid.
    """
    stack = workspace.stack.name
    modules = variant_of(stack).PREFLIGHT
    if not modules:
        return []
    from analysis import plan  # slow to import; not for a stack without an account

    planned = plan.make(stack, today=today)
    context = StackContext(
        stack=stack,
        resources=planned.resources,
        outputs=planned.outputs,
        config=workspace.config(),
        existing={
            resource["urn"]: {"id": resource.get("id", ""), **(resource.get("outputs") or {})}
            for resource in workspace.resources()
        },
        command=command,
    )
    checks: list[Check] = [import_module(name).check for name in modules]
    # A warning, no failure: the catalogue may be wrong, and documents wait instead of failing.
    warnings = [
        Finding(name="inference_model", ok=None, found=found.text, remedy=found.remedy)
        for found in planned.retirements
    ]
    return warnings + [finding for check in checks for finding in check(context)]


def require(console: Console, workspace: Workspace, command: Command = "up") -> None:
    """Run the checks for a command; print unknown results.

    Raises:
        CommandError: a check failed; the message has every problem with its remedy.
    """
    found = look(workspace, command)
    for finding in found:
        if finding.ok is None:
            remedy = f". {finding.remedy}" if finding.remedy else ""
            console.print(
                f"[yellow]?[/] {finding.name}: {escape(finding.found + remedy)}", soft_wrap=True
            )
    if lacking := [finding for finding in found if finding.ok is False]:
        problems = "\n".join(f"{finding.found}. {finding.remedy}" for finding in lacking)
        what = "refresh" if command == "drift" else "deployment"
        raise CommandError(f"Nothing was changed. The {what} would fail:\n{problems}")
