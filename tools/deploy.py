"""up, preview, down and outputs: what the engine is asked to do, and what a person is told."""

import html
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import typer
from pulumi import automation
from pulumi.automation.errors import CommandError as EngineCommandError
from pulumi.automation.events import EngineEvent, OpType
from rich.console import Console
from rich.markup import escape

from policies.everywhere.stateful import STATEFUL
from policies.verdict import Environment, environment_of
from tools import preflight
from tools.progress import Progress, logical_name, readable
from tools.violations import Violations, pack_options
from tools.workspace import (
    HOME,
    CommandError,
    Workspace,
    arrangement_of,
    create_workspace,
    forget_backend,
    open_workspace,
    project_name,
    stack_config,
)

_LOSES_DATA = (OpType.DELETE, OpType.REPLACE, OpType.DELETE_REPLACED)


def up(console: Console, stack: str, *, yes: bool) -> dict[str, Any]:
    """Deploy a stack and return its outputs, secrets included.

    Raises:
        CommandError: when an account lacks something, the engine fails, a policy refuses, or
            nobody is there to say yes to what needs a yes.
    """
    workspace = create_workspace(stack, _line(console))
    preflight.require(console, workspace)
    if not is_free(stack):
        # Rules about resources together are judged at the end of an update: too late to refuse.
        console.print(f"Checking stack {stack} against the policies")
        _run(console, workspace, "", workspace.stack.preview, preview=True, judge=True, quiet=True)
    if not yes and (question := _question(console, workspace, stack)):
        _confirm(question, "up", stack)
    progress, done = _run(
        console, workspace, f"Deploying stack {stack}", workspace.stack.up, judge=True
    )
    console.print(f"[green]✓[/] {progress.summary()}")
    return {name: output.value for name, output in done.outputs.items()}


def preview(console: Console, stack: str, *, drift: bool = False) -> Progress:
    """Show what `up` would change, and which rules that breaks.

    Args:
        drift: Ask the cloud what is there, and fail when that is not what the program asks for.

    Raises:
        CommandError: when an account lacks something, the engine fails, a policy would refuse to
            deploy, or there is drift.
    """
    workspace = create_workspace(stack, _line(console))
    preflight.require(console, workspace)
    progress, _ = _run(
        console,
        workspace,
        f"Previewing stack {stack}",
        partial(workspace.stack.preview, refresh=True) if drift else workspace.stack.preview,
        preview=True,
        judge=True,
    )
    console.print(f"{progress.summary()}")
    if drift and set(progress.changes) - {"same"}:
        raise CommandError(
            f"Stack {stack} is not what its program asks for: {progress.summary()}. "
            f"Put it right: ./seamless up {stack}"
        )
    return progress


def down(console: Console, stack: str, *, yes: bool) -> None:
    """Destroy a stack, and say what is left.

    Raises:
        CommandError: when the engine fails, data is protected, or nobody is there to say yes.
    """
    workspace = open_workspace(stack, _line(console))
    resources = workspace.resources() if workspace else []
    if not workspace or not resources:
        console.print(f"Stack {stack} has no resources: there is nothing to take down.")
        return
    if kept := sorted(logical_name(r["urn"]) for r in resources if r.get("protect")):
        # The engine would delete everything else before it met the first of them.
        raise CommandError(
            f"Stack {stack} protects {', '.join(kept)}. To give that up: pulumi config set "
            f"protect false --stack {stack}, then ./seamless up {stack}"
        )
    if not yes:
        outputs = workspace.stack.outputs()
        where = outputs["bucket"].value if "bucket" in outputs else "its store"
        # Pulumi keeps its providers there, too, and tells nobody when it deletes one.
        count = sum(not r["type"].startswith("pulumi:providers:") for r in resources)
        _confirm(
            f"This deletes all {count} resources of stack {stack}, with every document "
            f"and summary in {where} and in its database.",
            "down",
            stack,
        )
    progress, _ = _run(
        console,
        workspace,
        f"Taking down stack {stack}",
        # The state of our own backend goes too; a backend that somebody chose keeps its history.
        lambda **how: workspace.stack.destroy(remove=workspace.own_backend, **how),
    )
    _sign_in_file(stack).unlink(missing_ok=True)
    console.print(f"[green]✓[/] {progress.summary()}")
    if workspace.own_backend:
        forget_backend()
        if (HOME / "passphrase").exists():
            console.print(
                f"Left: {_shown(HOME / 'passphrase')}, which opens the secrets in your stack files."
            )


def outputs(stack: str) -> dict[str, Any]:
    """The outputs of a stack that is up: value and whether it is secret, by name.

    Raises:
        CommandError: when it is not up.
    """
    workspace = open_workspace(stack, _line(Console(stderr=True)))
    found = workspace.stack.outputs() if workspace else {}
    if not found:
        raise CommandError(f"Stack {stack} is not up. Start it: ./seamless up {stack}")
    return {name: (output.value, output.secret) for name, output in found.items()}


def write_sign_in(stack: str, page_url: str, token: str) -> Path:
    """Write a page that only this user can read and that opens the application signed in.

    A token on a terminal lands in scroll-back and logs, and in argv everybody can see it.
    """
    file = _sign_in_file(stack)
    file.unlink(missing_ok=True)
    target = html.escape(f"{page_url}#token={token}", quote=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(
            f'<!doctype html><meta charset="utf-8"><title>Seamless</title>'
            f'<meta http-equiv="refresh" content="0; url={target}">'
            f'<a href="{target}">Open the page</a>\n'
        )
    return file


def is_free(stack: str) -> bool:
    """True when nothing in this stack costs money."""
    return bool(arrangement_of(stack).FREE)


def _run(
    console: Console,
    workspace: Workspace,
    title: str,
    operation: Callable[..., Any],
    *,
    preview: bool = False,
    judge: bool = False,
    quiet: bool = False,
) -> tuple[Progress, Any]:
    """Let the engine work; with `judge` under the policies, of which a preview shows advice too.

    With `quiet` only what the program tells is shown, such as the building of a bundle.
    """
    progress = Progress(console, preview=preview, steps_shown=not quiet)
    violations = Violations()

    def listen(event: EngineEvent) -> None:
        progress(event)
        violations(event)

    policies = pack_options(_environment(workspace.stack.name)) if judge else {}
    try:
        with progress.live(title):
            result = operation(on_event=listen, **policies)
    except (EngineCommandError, automation.InlineSourceRuntimeError) as error:
        if workspace.program.problem:
            raise CommandError(str(workspace.program.problem)) from error
        if violations.refusal:
            raise CommandError(f"Refused by policy:\n{violations.refusal}") from error
        if "currently locked" in str(error):
            raise CommandError(
                f"Another command works on stack {workspace.stack.name}, or was cut off. "
                f"If none does: ./seamless pulumi cancel --yes --stack {workspace.stack.name}"
            ) from error
        problems = list(dict.fromkeys(progress.errors)) or [readable(str(error))]
        raise CommandError("\n".join(problems)) from error
    if preview and not quiet:
        violations.show(console)
    return progress, result


def _question(console: Console, workspace: Workspace, stack: str) -> str | None:
    """What must be asked before `up`: money, or data that would be lost."""
    if not is_free(stack):
        return f"This deploys stack {stack}, and what it deploys costs money."
    if not workspace.resources():
        return None
    preview = workspace.stack.preview
    planned = _run(console, workspace, "", preview, preview=True, quiet=True)[0].steps
    lost = {logical_name(s.urn) for s in planned if s.op in _LOSES_DATA and s.type in STATEFUL}
    if not lost:
        return None
    return f"This deletes or replaces {', '.join(sorted(lost))}, with everything in it."


def _confirm(question: str, command: str, stack: str) -> None:
    again = f"./seamless {command} {stack} --yes"
    try:
        agreed = typer.confirm(f"{question}\nGo on?", default=False)
    except typer.Abort:
        raise CommandError(f"{question} Nobody said yes. To go on: {again}") from None
    if not agreed:
        raise CommandError(f"Nothing was changed. To go on: {again}")


def _environment(stack: str) -> Environment:
    return environment_of(stack_config(stack), project_name())


def _sign_in_file(stack: str) -> Path:
    return HOME / f"open-{stack}.html"


def _line(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(escape(text), soft_wrap=True)


def _shown(path: Path) -> str:
    """A path as a person standing here would write it."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def as_json(found: dict[str, Any]) -> str:
    """Outputs for scripts: every value, secrets included, as `terraform output -json` does."""
    return json.dumps({name: value for name, (value, _) in found.items()}, indent=2)
