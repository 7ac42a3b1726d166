"""What a person reads of the engine's events and errors."""

from tools.progress import readable

TRACEBACK = """Exception calling application: Traceback (most recent call last):
  File "dynamic/__main__.py", line 94, in wrapper
    return fn(self, request, context)
  File "components/local/server.py", line 70, in create
    raise DaemonError("x")
components.local.daemon.DaemonError: host ended with status 1. The end of host.log:
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
