"""The output for events and errors of the engine."""

from io import StringIO

import pytest
from pulumi.automation.events import DiagnosticEvent, EngineEvent
from rich.console import Console

from tools.deploy.progress import Progress, readable

TRACEBACK = """Exception calling application: Traceback (most recent call last):
  File "dynamic/__main__.py", line 94, in wrapper
    return fn(self, request, context)
  File "components/local/server.py", line 70, in create
    raise DaemonError("x")
components.local.process.DaemonError: host ended with status 1. The end of host.log:
Traceback (most recent call last):
  File "x.py", line 1, in <module>
ValueError: DATABASE_HOST is not set
"""


def test_of_a_traceback_only_the_message_of_the_error_is_shown() -> None:
    shown = readable(TRACEBACK)

    assert shown.startswith("host ended with status 1. The end of host.log:\nTraceback")
    assert shown.endswith("ValueError: DATABASE_HOST is not set")
    chained = "Traceback (most recent call last):\n  File\nKeyError: 'a'\nOSError: no space\n"
    assert readable(chained) == "no space"
    assert readable("  resource is protected \n") == "resource is protected"


def event(severity: str, message: str) -> EngineEvent:
    """A message of the program."""
    return EngineEvent(
        sequence=1,
        timestamp=1,
        diagnostic_event=DiagnosticEvent(message=message, color="never", severity=severity),
    )


@pytest.mark.parametrize("steps_shown", [True, False])
def test_messages_of_the_program_are_shown_also_without_steps(steps_shown: bool) -> None:
    console = Console(file=StringIO(), width=100)
    progress = Progress(console, preview=True, steps_shown=steps_shown)

    with progress.live("Previewing"):
        progress(event("info", "bundle aws: 17 MB packed, 46 MB [unpacked], 6 s\n"))
        progress(event("debug", "too much"))
        progress(event("error", "remembered"))

    shown = console.file.getvalue()  # type: ignore[attr-defined]
    line = "  bundle aws: 17 MB packed, 46 MB [unpacked], 6 s\n"
    assert shown == ("Previewing\n" if steps_shown else "") + line
    assert progress.errors == ["remembered"]
