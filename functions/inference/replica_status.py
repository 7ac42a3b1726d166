"""The replicas behind an endpoint: which one answered, and their status by the replica monitor.

A monitor beside the replicas sends the canary to each of them and reports their status at
`replicas_url`: through the endpoint the application cannot choose a replica.
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

from functions.inference.endpoint import Endpoint
from functions.inference.limited_response import read_limited

log = logging.getLogger(__name__)

HEADER = "X-Replica"
"""Response header of our model servers: the name of the pod that answered."""

TIMEOUT_SECONDS = 10.0
MAX_BYTES = 256 * 1024
MAX_AGE_SECONDS = 1e9
"""Thirty years: PostgreSQL can subtract this from a time."""

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}\Z"
"""Kubernetes names and some more; no character needs escaping in a log, a label or a page."""


class ReplicaStatus(Struct, frozen=True, kw_only=True):
    """The status of one replica, as its monitor reports it.

    Attributes:
        good_seconds_ago: Age of its last right answer while it was ok; None when unknown.
    """

    name: Annotated[str, Meta(pattern=_NAME)]
    state: Literal["ok", "out"]
    good_seconds_ago: Annotated[float, Meta(ge=0, le=MAX_AGE_SECONDS)] | None


class _Body(Struct):
    replicas: list[ReplicaStatus]


@dataclass(frozen=True, kw_only=True)
class ReplicaStatuses:
    """A monitor's report on all replicas; one that is out stays listed for a day after it is gone.

    Attributes:
        requested_at: When the report was requested, by `time.monotonic`.
    """

    replicas: Sequence[ReplicaStatus]
    requested_at: float

    def __contains__(self, name: str | None) -> bool:
        """True for a replica in the report."""
        return any(replica.name == name for replica in self.replicas)


def answered_by(headers: Mapping[str, str]) -> str | None:
    """The replica that a response names; None when the header is missing or not a valid name."""
    name = headers.get(HEADER, "")
    return name if re.fullmatch(_NAME, name) else None


async def fetch_replica_statuses(
    http: httpx.AsyncClient, endpoint: Endpoint
) -> ReplicaStatuses | None:
    """Fetch the report of an endpoint's replica monitor.

    None when the endpoint has no monitor, or when the request fails, which is logged.
    """
    if endpoint.replicas_url is None:
        return None
    requested_at = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            response, content = await read_limited(
                http, "GET", endpoint.replicas_url, limit=MAX_BYTES
            )
        return ReplicaStatuses(
            replicas=_read(response.status_code, content), requested_at=requested_at
        )
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
        reason = type(error).__name__
    except (ValueError, RecursionError) as error:
        reason = f"{error}"[:200]
    log.warning("endpoint %s: no replica statuses: %r", endpoint.name, reason)
    return None


def _read(status: int, content: bytes) -> Sequence[ReplicaStatus]:
    if status != 200:
        raise ValueError(f"status {status}")
    replicas = msgspec.json.decode(content, type=_Body).replicas
    if len({replica.name for replica in replicas}) < len(replicas):
        raise ValueError("a replica is listed twice")
    return replicas
