"""Progress of the engine: a live view in a terminal, plain lines elsewhere."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pulumi.automation.events import EngineEvent, OpType, StepEventMetadata
from rich.console import Console
from rich.markup import escape
from rich.status import Status

_VERBS = {
    OpType.CREATE: ("+", "green", "creating", "created"),
    OpType.UPDATE: ("~", "yellow", "updating", "updated"),
    OpType.DELETE: ("-", "red", "deleting", "deleted"),
    OpType.REPLACE: ("±", "magenta", "replacing", "replaced"),
    OpType.CREATE_REPLACEMENT: ("±", "magenta", "creating replacement", "created replacement"),
    OpType.DELETE_REPLACED: ("±", "magenta", "deleting the old", "deleted the old"),
    OpType.REFRESH: ("↻", "blue", "reading", "read"),
}

_OUR_ERROR = re.compile(
    r"^(?:build|catalog|components|functions|sizing|stacks)\.[\w.]+: ", re.MULTILINE
)
_ANY_ERROR = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception): ", re.MULTILINE)


@dataclass
class Progress:
    """Prints the engine's events, and collects changes and errors.

    Attributes:
        preview: Whether the operation is a preview.
        steps_shown: Whether steps are printed; messages of the program always are.
    """

    console: Console
    preview: bool = False
    steps_shown: bool = True
    changes: dict[str, int] = field(default_factory=dict)
    steps: list[StepEventMetadata] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _running: dict[str, tuple[str, float]] = field(default_factory=dict)
    _status: Status | None = None

    def __call__(self, event: EngineEvent) -> None:
        """Handle one engine event."""
        if event.resource_pre_event and not self.preview:
            self._begin(event.resource_pre_event.metadata)
        elif event.resource_pre_event:
            self._end(event.resource_pre_event.metadata)
        elif event.res_outputs_event and not self.preview:
            self._end(event.res_outputs_event.metadata)
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            self.errors.append(readable(event.diagnostic_event.message))
        elif event.diagnostic_event and event.diagnostic_event.severity == "info":
            self.console.print(f"  [dim]{escape(event.diagnostic_event.message.strip())}[/]")
        elif event.summary_event:
            self.changes = {
                str(op): count for op, count in event.summary_event.resource_changes.items()
            }

    @contextmanager
    def live(self, title: str) -> Iterator[None]:
        """Show the running steps beside a spinner, if there is a terminal."""
        if not self.steps_shown:
            yield
            return
        if not self.console.is_terminal:
            self.console.print(title)
            yield
            return
        with self.console.status(title) as self._status:
            yield

    def summary(self) -> str:
        """Such as `9 created, 2 unchanged`; for a preview `9 to create, 2 unchanged`."""
        counts = []
        for op, count in sorted(self.changes.items()):
            verb = f"to {op}" if self.preview else f"{op}d"
            counts.append(f"{count} {'unchanged' if op == 'same' else verb}")
        return ", ".join(counts) or "nothing to do"

    def _begin(self, step: StepEventMetadata) -> None:
        if _shown(step):
            self._running[step.urn] = (_VERBS[step.op][2], time.monotonic())
            self._show()

    def _end(self, step: StepEventMetadata) -> None:
        if not _shown(step):
            return
        self.steps.append(step)
        sign, color, _, done = _VERBS[step.op]
        _, began = self._running.pop(step.urn, ("", time.monotonic()))
        if not self.steps_shown:
            return
        took = time.monotonic() - began
        self.console.print(
            f"  [{color}]{sign}[/] {logical_name(step.urn):32} "
            f"[dim]{escape(kind(step.type)):30}[/] "
            f"{'would be ' if self.preview else ''}{done}"
            + (f" [dim]({took:.1f} s)[/]" if took >= 0.1 else ""),
            soft_wrap=True,
        )
        self._show()

    def _show(self) -> None:
        if self._status:
            under_way = ", ".join(
                f"{verb} {logical_name(urn)}" for urn, (verb, _) in self._running.items()
            )
            self._status.update(under_way or "working")


def readable(message: str) -> str:
    """An error message without its traceback; of several exceptions, one of this project first."""
    if "Traceback (most recent call last)" not in message:
        return message.strip()
    raised = _OUR_ERROR.search(message) or next(reversed(list(_ANY_ERROR.finditer(message))), None)
    return message[raised.end() if raised else 0 :].strip()


def _shown(step: StepEventMetadata) -> bool:
    return step.op in _VERBS and not step.type.startswith("pulumi:providers:")


def logical_name(urn: str) -> str:
    """The last part of a URN: the resource's name."""
    return urn.rsplit("::", 1)[-1]


def kind(token: str) -> str:
    """A type token to print: `pulumi-python:dynamic/local:Folder` becomes `local:Folder`."""
    return token.removeprefix("pulumi-python:dynamic/")
