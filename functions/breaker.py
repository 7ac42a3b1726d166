"""A breaker per endpoint: who fails again and again is left alone for a while.

A question that nobody answers costs seconds of a function, and a slow one a whole timeout. So an
endpoint that failed at least five times, and half of its calls within 30 seconds, gets one call per
pause until one is answered. Pauses double from five to thirty seconds.
"""

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 30.0
FEWEST_FAILURES = 5
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 30.0
LONGEST_REST_SECONDS = 300.0


class Breaker:
    """The memory of one process about one endpoint; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._outcomes = deque[tuple[float, bool]]()
        self._open = False
        self._pause = FIRST_PAUSE_SECONDS
        self._closed_until = 0.0

    @property
    def wait(self) -> float:
        """Seconds until a call may be made; 0 is now."""
        return max(0.0, self._closed_until - self._clock())

    def enter(self) -> bool:
        """True when a call may be made now: an open breaker lets one through per pause."""
        if self.wait:
            return False
        if self._open:
            self._pause = min(LONGEST_PAUSE_SECONDS, 2 * self._pause)
            self.rest(self._pause)
        return True

    def note(self, *, good: bool) -> None:
        """Count a call that was answered, or was not."""
        now = self._clock()
        if good and self._open:
            self._open, self._pause, self._closed_until = False, FIRST_PAUSE_SECONDS, 0.0
            self._outcomes.clear()
        self._outcomes.append((now, good))
        while self._outcomes[0][0] < now - WINDOW_SECONDS:
            self._outcomes.popleft()
        failures = sum(not outcome for _, outcome in self._outcomes)
        if not self._open and failures >= max(FEWEST_FAILURES, len(self._outcomes) / 2):
            self._open = True
            self.rest(self._pause)

    def rest(self, seconds: float) -> None:
        """Let nobody through for so long, five minutes at most: the endpoint asked for it."""
        pause = min(seconds, LONGEST_REST_SECONDS)
        self._closed_until = max(self._closed_until, self._clock() + pause)
