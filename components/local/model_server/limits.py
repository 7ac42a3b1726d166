"""A rate limit of requests per minute, as hosted endpoints have it."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """The decision about one request, with the values of its headers.

    Attributes:
        granted: True if the request is within the limit.
        limit: Requests per minute.
        remaining: Requests that could follow at once.
        retry_seconds: Until the next request would be granted.
        reset_seconds: Until `remaining` is at its limit again.
    """

    granted: bool
    limit: int
    remaining: int
    retry_seconds: float
    reset_seconds: float

    def headers(self) -> dict[str, str]:
        """Return the `x-ratelimit-*` headers, and `Retry-After` if the request is not granted."""
        headers = {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(self.remaining),
            "x-ratelimit-reset-requests": _duration(self.reset_seconds),
        }
        if not self.granted:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_seconds)))
        return headers


class TokenBucket:
    """A bucket of `per_minute` requests that refills evenly; it starts full."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        """Read time from `clock`, in seconds."""
        self._limit = per_minute
        self._clock = clock
        self._level = float(per_minute)
        self._read_at = clock()

    def take(self) -> Allowance:
        """Count one request, if the bucket is not empty."""
        now = self._clock()
        per_second = self._limit / 60
        self._level = min(self._limit, self._level + (now - self._read_at) * per_second)
        self._read_at = now
        # The tolerance keeps rounding from refusing a caller that waited exactly long enough.
        granted = self._level >= 1 - 1e-9
        if granted:
            self._level = max(0.0, self._level - 1)
        return Allowance(
            granted=granted,
            limit=self._limit,
            remaining=int(self._level),
            retry_seconds=max(0.0, 1 - self._level) / per_second,
            reset_seconds=(self._limit - self._level) / per_second,
        )


def _duration(seconds: float) -> str:
    """Format a duration as in these headers: 120ms, 8.571s."""
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{round(seconds, 3):g}s"
