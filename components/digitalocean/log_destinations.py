"""Where functions may forward their logs: the JSON that DigitalOcean Functions reads.

Services: docs.digitalocean.com/products/functions/how-to/forward-logs (9 April 2025): it is the
`log_destinations` of App Platform as JSON, except for Papertrail's token.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

_Text = Annotated[str, Meta(min_length=1)]


class _Datadog(Struct, forbid_unknown_fields=True):
    endpoint: _Text
    api_key: _Text


class _Token(Struct, forbid_unknown_fields=True):
    token: _Text


class _Destination(Struct, forbid_unknown_fields=True):
    name: str = ""
    datadog: _Datadog | None = None
    logtail: _Token | None = None
    papertrail: _Token | None = None

    def __post_init__(self) -> None:
        if sum(getattr(self, service) is not None for service in SERVICES) != 1:
            raise ValueError("not exactly one service")


SERVICES = _Destination.__struct_fields__[1:]

EXAMPLE = '[{"name": "logs", "logtail": {"token": "TOKEN"}}]'


def problem(text: str) -> str | None:
    """The rule that a text of destinations breaks, and where; it never quotes the text."""
    try:
        msgspec.json.decode(text, type=Annotated[list[_Destination], Meta(min_length=1)])
    except msgspec.DecodeError as error:
        place = str(error).rpartition(" - at `")[2].rstrip("`") if " - at `" in str(error) else "$"
        rule = f"it must be a JSON list of destinations, each with one of {', '.join(SERVICES)}"
        return f"{rule}; the error is at {place}"
    return None
