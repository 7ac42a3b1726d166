"""The commands up, preview, down and outputs: engine operations with progress and messages."""

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

from policies.common.stateful import STATEFUL
from policies.evaluation import Environment, environment_of
from tools.deploy import preflight
from tools.deploy.policy_pack import Violations, pack_options
from tools.deploy.progress import Progress, logical_name, readable
from tools.workspace import (
    HOME,
    CommandError,
    Workspace,
    create_workspace,
    forget_backend,
    open_workspace,
    project_name,
    stack_config,
    variant_of,
)

_LOSES_DATA = (OpType.DELETE, OpType.REPLACE, OpType.DELETE_REPLACED)


def up(console: Console, stack: str, *, yes: bool) -> dict[str, Any]:
    """Deploy a stack and return its outputs, secrets included.

    Raises:
        CommandError: a preflight check, the engine or a mandatory policy fails, or a required
            confirmation is missing.
    """
    workspace = create_workspace(stack, _line(console))
    preflight.require(console, workspace)
    if not is_free(stack):
        # The engine evaluates stack policies at the end of an update, too late to refuse it.
        console.print(f"Checking stack {stack} against the policies")
        _run(
            console, workspace, "", workspace.stack.preview, preview=True, evaluate=True, quiet=True
        )
    if not yes and (question := _question(console, workspace, stack)):
        _confirm(question, "up", stack)
    progress, done = _run(
        console, workspace, f"Deploying stack {stack}", workspace.stack.up, evaluate=True
    )
    console.print(f"[green]✓[/] {progress.summary()}")
    return {name: output.value for name, output in done.outputs.items()}


def preview(console: Console, stack: str, *, drift: bool = False) -> Progress:
    """Show what `up` would change, and which policies that violates.

    Args:
        drift: Refresh first, and fail if the cloud differs from the program.

    Raises:
        CommandError: a preflight check, the engine or a mandatory policy fails, or there is
            drift.
    """
    workspace = create_workspace(stack, _line(console))
    preflight.require(console, workspace, "drift" if drift else "preview")
    progress, _ = _run(
        console,
        workspace,
        f"Previewing stack {stack}",
        partial(workspace.stack.preview, refresh=True) if drift else workspace.stack.preview,
        preview=True,
        evaluate=True,
    )
    console.print(f"{progress.summary()}")
    if drift and set(progress.changes) - {"same"}:
        raise CommandError(
            f"Stack {stack} has drifted: {progress.summary()}. Correct it: ./seamless up {stack}"
        )
    return progress


def down(console: Console, stack: str, *, yes: bool) -> None:
    """Destroy a stack, and print what remains.

    Raises:
        CommandError: the engine fails, a resource is protected, or the confirmation is missing.
    """
    workspace = open_workspace(stack, _line(console))
    resources = workspace.resources() if workspace else []
    if not workspace or not resources:
        console.print(f"Stack {stack} has no resources; nothing to destroy.")
        return
    if kept := sorted(logical_name(r["urn"]) for r in resources if r.get("protect")):
        # The engine would delete other resources before it fails on the first protected one.
        raise CommandError(
            f"Stack {stack} has protected resources: {', '.join(kept)}. To remove the protection: "
            f"./seamless pulumi config set protect false --stack {stack} && ./seamless up {stack}"
        )
    if not yes:
        outputs = workspace.stack.outputs()
        where = outputs["bucket"].value if "bucket" in outputs else "its store"
        # The state also has providers, whose deletion the engine does not report.
        count = sum(not r["type"].startswith("pulumi:providers:") for r in resources)
        _confirm(
            f"This deletes all {count} resources of stack {stack}, with every document "
            f"and summary in {where} and in its database.",
            "down",
            stack,
        )
    if note := getattr(variant_of(stack), "TEAR_DOWN", ""):
        console.print(note)
    progress, _ = _run(
        console,
        workspace,
        f"Destroying stack {stack}",
        # Also deletes the state in our own backend; a backend of the user keeps its history.
        lambda **how: workspace.stack.destroy(remove=workspace.own_backend, **how),
    )
    _sign_in_file(stack).unlink(missing_ok=True)
    console.print(f"[green]✓[/] {progress.summary()}")
    if workspace.own_backend:
        forget_backend()
        if (HOME / "passphrase").exists():
            console.print(
                f"Left: {_shown(HOME / 'passphrase')}, which decrypts the secrets in your "
                "stack files."
            )


def outputs(stack: str) -> dict[str, Any]:
    """The outputs of a deployed stack, by name: (value, whether it is secret).

    Raises:
        CommandError: the stack is not deployed.
    """
    workspace = open_workspace(stack, _line(Console(stderr=True)))
    found = workspace.stack.outputs() if workspace else {}
    if not found:
        raise CommandError(f"Stack {stack} is not deployed. Deploy it: ./seamless up {stack}")
    return {name: (output.value, output.secret) for name, output in found.items()}


def write_sign_in(stack: str, page_url: str, token: str) -> Path:
    """Write an HTML file, readable by this user only, that opens the page signed in.

    The token is not printed, because terminals and CI keep logs, and not in argv, which every
    user of the machine can read.
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
    """Whether nothing in this stack costs money."""
    return bool(variant_of(stack).FREE)


def _run(
    console: Console,
    workspace: Workspace,
    title: str,
    operation: Callable[..., Any],
    *,
    preview: bool = False,
    evaluate: bool = False,
    quiet: bool = False,
) -> tuple[Progress, Any]:
    """Run an engine operation; with `judge` under the policies, whose advice a preview prints.

    With `quiet` only messages of the program are shown, such as those of the bundle's build.
    """
    progress = Progress(console, preview=preview, steps_shown=not quiet)
    violations = Violations()

    def listen(event: EngineEvent) -> None:
        progress(event)
        violations(event)

    policies = pack_options(_environment(workspace.stack.name)) if evaluate else {}
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
                f"Stack {workspace.stack.name} is locked. If no other command runs: "
                f"./seamless pulumi cancel --yes --stack {workspace.stack.name}"
            ) from error
        problems = list(dict.fromkeys(progress.errors)) or [readable(str(error))]
        raise CommandError("\n".join(problems)) from error
    if preview and not quiet:
        violations.show(console)
    return progress, result


def _question(console: Console, workspace: Workspace, stack: str) -> str | None:
    """The question to confirm before `up`: cost, or loss of data; None if there is none."""
    if not is_free(stack):
        return f"Deploying stack {stack} costs money."
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
        raise CommandError(
            f"{question} There is no terminal to confirm. To go on: {again}"
        ) from None
    if not agreed:
        raise CommandError(f"Nothing was changed. To go on: {again}")


def _environment(stack: str) -> Environment:
    return environment_of(stack_config(stack), project_name())


def _sign_in_file(stack: str) -> Path:
    return HOME / f"open-{stack}.html"


def _line(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(escape(text), soft_wrap=True)


def _shown(path: Path) -> str:
    """A path relative to the working directory, if it is below it."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def as_json(found: dict[str, Any]) -> str:
    """Outputs as JSON with secrets, as `terraform output -json` prints them."""
    return json.dumps({name: value for name, (value, _) in found.items()}, indent=2)
