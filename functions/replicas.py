"""The replicas behind an endpoint: who answered, and what their examiner says of them.

An examiner beside the replicas asks each of them the canary, and tells at `replicas_url` how each
stands; through the endpoint the application cannot choose whom to ask.
"""

import asyncio
import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import httpx
import msgspec
from msgspec import Meta, Struct

from functions.bounded import exchange
from functions.endpoint import Endpoint

log = logging.getLogger(__name__)

HEADER = "X-Replica"
"""In an answer of our model servers: the name of the pod that gave it."""

TIMEOUT_SECONDS = 10.0
MAX_BYTES = 256 * 1024
MAX_AGE_SECONDS = 1e9
"""Thirty years: what a database can subtract from a time."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z"
"""Names of Kubernetes and some more; nothing that a log, a label or a page must escape."""


class Replica(Struct, frozen=True, kw_only=True):
    """How one replica stands, as its examiner tells.

    Attributes:
        good_seconds_ago: Since it last answered rightly while it was ok; None: never known.
    """

    name: Annotated[str, Meta(pattern=_NAME)]
    state: Literal["ok", "out"]
    good_seconds_ago: Annotated[float, Meta(ge=0, le=MAX_AGE_SECONDS)] | None


class _Body(Struct):
    replicas: list[Replica]


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """What an examiner said of all replicas, those that are out and gone for a day included.

    Attributes:
        asked: When it was asked, by `time.monotonic`.
    """

    replicas: Sequence[Replica]
    asked: float

    def __contains__(self, name: str | None) -> bool:
        """True for a replica that the examiner judges."""
        return any(replica.name == name for replica in self.replicas)


def answered_by(headers: Mapping[str, str]) -> str | None:
    """The replica that a response names; None where it names none, or none that can be one."""
    name = headers.get(HEADER, "")
    return name if re.fullmatch(_NAME, name) else None


async def ask_examiner(http: httpx.AsyncClient, endpoint: Endpoint) -> Verdicts | None:
    """The verdicts; None when they cannot be had, which is logged, or when there is no examiner."""
    if endpoint.replicas_url is None:
        return None
    asked = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            response, content = await exchange(http, "GET", endpoint.replicas_url, limit=MAX_BYTES)
        return Verdicts(replicas=_read(response.status_code, content), asked=asked)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
        why = type(error).__name__
    except (ValueError, RecursionError) as error:
        why = f"{error}"[:200]
    log.warning("endpoint %s: the verdicts on its replicas cannot be had: %r", endpoint.name, why)
    return None


def _read(status: int, content: bytes) -> Sequence[Replica]:
    if status != 200:
        raise ValueError(f"status {status}")
    replicas = msgspec.json.decode(content, type=_Body).replicas
    if len({replica.name for replica in replicas}) < len(replicas):
        raise ValueError("a replica is told of twice")
    return replicas
