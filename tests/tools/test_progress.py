"""What a person reads of the engine's events and errors."""

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


def test_of_a_traceback_only_our_own_error_is_shown_with_all_that_it_says() -> None:
    """The log's end belongs to the message."""
    shown = readable(TRACEBACK)

    assert shown.startswith("host ended with status 1. The end of host.log:\nTraceback")
    assert shown.endswith("ValueError: DATABASE_HOST is not set")


def test_of_a_foreign_traceback_what_was_raised_last_is_shown() -> None:
    """Python prints it at the end."""
    assert (
        readable("Traceback (most recent call last):\n  File\nKeyError: 'a'\nOSError: no space\n")
        == "no space"
    )


def test_a_message_without_a_traceback_is_shown_as_it_is() -> None:
    """The engine's own messages are for people already."""
    assert readable("  resource is protected \n") == "resource is protected"


def told(severity: str, message: str) -> EngineEvent:
    """What the engine passes on from the program."""
    return EngineEvent(
        sequence=1,
        timestamp=1,
        diagnostic_event=DiagnosticEvent(message=message, color="never", severity=severity),
    )


@pytest.mark.parametrize("steps_shown", [True, False])
def test_what_the_program_tells_is_shown_even_where_steps_are_not(steps_shown: bool) -> None:
    """A bundle takes seconds to build, mostly while `up` checks the policies."""
    console = Console(file=StringIO(), width=100)
    progress = Progress(console, preview=True, steps_shown=steps_shown)

    with progress.live("Previewing"):
        progress(told("info", "bundle aws: 17 MB packed, 46 MB [unpacked], 6 s\n"))
        progress(told("debug", "too much"))
        progress(told("error", "remembered"))

    shown = console.file.getvalue()  # type: ignore[attr-defined]
    line = "  bundle aws: 17 MB packed, 46 MB [unpacked], 6 s\n"
    assert shown == ("Previewing\n" if steps_shown else "") + line
    assert progress.errors == ["remembered"]
