"""A circuit breaker per endpoint: an endpoint that keeps failing is not called for a while.

A call that fails costs seconds of a function, and a timeout costs minutes. After at least five
failures that are half of the calls within 30 seconds, the breaker lets one call through per pause
until one succeeds. Pauses double from five to thirty seconds.
"""

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 30.0
MIN_FAILURES = 5
FIRST_PAUSE_SECONDS = 5.0
MAX_PAUSE_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 300.0


class CircuitBreaker:
    """The state of one endpoint in one process; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._outcomes = deque[tuple[float, bool]]()
        self._open = False
        self._pause = FIRST_PAUSE_SECONDS
        self._blocked_until = 0.0

    @property
    def retry_after(self) -> float:
        """Seconds until a call is allowed; 0 is now."""
        return max(0.0, self._blocked_until - self._clock())

    def allow(self) -> bool:
        """True when a call may start now; an open breaker allows one call per pause."""
        if self.retry_after:
            return False
        if self._open:
            self._pause = min(MAX_PAUSE_SECONDS, 2 * self._pause)
            self.open_for(self._pause)
        return True

    def record(self, *, good: bool) -> None:
        """Count a finished call; a good one closes the breaker."""
        now = self._clock()
        if good and self._open:
            self._open, self._pause, self._blocked_until = False, FIRST_PAUSE_SECONDS, 0.0
            self._outcomes.clear()
        self._outcomes.append((now, good))
        while self._outcomes[0][0] < now - WINDOW_SECONDS:
            self._outcomes.popleft()
        failures = sum(not outcome for _, outcome in self._outcomes)
        if not self._open and failures >= max(MIN_FAILURES, len(self._outcomes) / 2):
            self._open = True
            self.open_for(self._pause)

    def open_for(self, seconds: float) -> None:
        """Allow no call for so many seconds (five minutes at most), as a `Retry-After` asks."""
        pause = min(seconds, MAX_RETRY_AFTER_SECONDS)
        self._blocked_until = max(self._blocked_until, self._clock() + pause)
