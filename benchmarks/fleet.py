"""A simulation of replicas that scale by the rules of `scheduling.autoscaling`.

Kubernetes' autoscaler is modelled by its documentation: a poll every 15 seconds, a tolerance of a
tenth, stabilization windows, limits per period. KEDA is modelled by its source: it starts and stops
the last replica. Requests wait in one common queue, which is better than one queue per replica.
"""

import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from components.kubernetes.scheduling import autoscaling
from components.kubernetes.serving.model_server import DRAIN_SECONDS, PRE_STOP_SECONDS

SYNC_SECONDS = 15
TOLERANCE = 0.1
"""Kubernetes' defaults."""
UNNEEDED_SECONDS = 600
"""The cluster autoscaler removes a node that was empty for so long."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Parts of a start, in seconds."""

    boot: float
    image: float
    load: float

    @property
    def cold(self) -> float:
        """Start on a new node."""
        return self.boot + self.image + self.load


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Limits of the number of replicas.

    Attributes:
        headroom: Warm nodes for the next replicas.
    """

    name: str
    minimum: int
    maximum: int
    headroom: int = 0


@dataclass(frozen=True)
class Request:
    """A request: the second of its arrival, and the seconds that a replica works on it."""

    at: float
    seconds: float


@dataclass(kw_only=True)
class Outcome:
    """Totals over all requests.

    Attributes:
        waits: Seconds from the arrival of each answered request to the start of its answer.
        cut: Answers that broke off because the replica stopped; the application repeats them.
        lost: Requests that were never answered.
        gpu_hours: Of the nodes, used or not.
        replicas: The lowest and the highest number.
    """

    waits: list[float] = field(default_factory=list)
    cut: int = 0
    lost: int = 0
    gpu_hours: float = 0.0
    replicas: tuple[int, int] = (0, 0)

    def wait(self, share: float) -> float:
        """Quantile of the waits."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass(eq=False)
class _Node:
    since: float
    ready_at: float
    has_image: bool = False
    free_since: float | None = None


@dataclass(eq=False)
class _Replica:
    node: _Node
    ready_at: float
    leaving: bool = False
    running: dict[int, Request] = field(default_factory=dict)


class Fleet:
    """Simulates one policy with one trace."""

    def __init__(self, policy: Policy, times: Times, *, concurrency: int) -> None:
        self._policy, self._times, self._concurrency = policy, times, concurrency
        self._now = 0.0
        self._events: list[tuple[float, int, str, object]] = []
        self._order = itertools.count()
        self._nodes: list[_Node] = []
        self._headroom: list[_Node] = []
        self._replicas: list[_Replica] = []
        self._queue: deque[tuple[int, Request]] = deque()
        self._started: dict[int, float] = {}
        self._advice: deque[tuple[float, int]] = deque()
        self._changes: deque[tuple[float, int]] = deque()
        self._active_at = 0.0
        self._outcome = Outcome()

    def play(self, requests: Iterable[Request], *, seconds: float) -> Outcome:
        """Run until all requests are answered; GPU-hours are counted up to `seconds`.

        A request that is still unanswered a day after the end counts as lost.
        """
        arrivals = list(requests)
        for number, request in enumerate(arrivals):
            self._schedule(request.at, "arrive", (number, request))
        for tick in range(int(seconds + 86_400) // SYNC_SECONDS):
            self._schedule(tick * SYNC_SECONDS, "sync", None)
        for _ in range(self._policy.headroom):
            self._headroom.append(self._new_node(warm=True))
        for _ in range(self._policy.minimum):
            self._start(warm=True)
        self._outcome.replicas = (self._wanted, self._wanted)
        open_requests = len(arrivals)
        while self._events and (open_requests or self._now < seconds):
            self._now, _, kind, value = heapq.heappop(self._events)
            if kind == "arrive":
                self._queue.append(value)  # type: ignore[arg-type]
            elif kind == "done":
                open_requests -= self._finish(*value)  # type: ignore[misc]
            elif kind == "gone":
                self._end(value)  # type: ignore[arg-type]
            elif kind == "empty":
                self._release(value, seconds)  # type: ignore[arg-type]
            elif kind == "sync":
                self._sync()
            self._dispatch()
        for node in self._nodes:
            self._outcome.gpu_hours += max(0.0, seconds - node.since) / 3600
        self._outcome.lost = open_requests
        return self._outcome

    @property
    def _wanted(self) -> int:
        return sum(not replica.leaving for replica in self._replicas)

    def _schedule(self, at: float, kind: str, value: object) -> None:
        heapq.heappush(self._events, (at, next(self._order), kind, value))

    # ------------------------------------------------------------ requests

    def _dispatch(self) -> None:
        while self._queue:
            able = [
                replica
                for replica in self._replicas
                if not replica.leaving
                and replica.ready_at <= self._now
                and len(replica.running) < self._concurrency
            ]
            if not able:
                return
            replica = min(able, key=lambda one: len(one.running))
            number, request = self._queue.popleft()
            replica.running[number] = request
            self._started[number] = self._now
            self._schedule(self._now + request.seconds, "done", (replica, number))

    def _finish(self, replica: _Replica, number: int) -> int:
        request = replica.running.pop(number, None)
        if request is None:
            return 0  # it was cut and will be repeated
        self._outcome.waits.append(self._started[number] - request.at)
        if replica.leaving and not replica.running:
            self._end(replica)
        return 1

    # ------------------------------------------------------------ replicas

    def _start(self, *, warm: bool = False) -> None:
        node = self._place(warm=warm)
        image = 0.0 if node.has_image else self._times.image
        ready = max(self._now, node.ready_at) + (0.0 if warm else image + self._times.load)
        node.has_image, node.free_since = True, None
        self._replicas.append(_Replica(node, ready))
        self._schedule(ready, "ready", None)

    def _place(self, *, warm: bool) -> _Node:
        """A free node, else one of the headroom, else a new one."""
        free = [node for node in self._nodes if node.free_since is not None]
        if free:
            return min(free, key=lambda node: node.ready_at)
        if self._headroom and not warm:
            warm_node = self._headroom.pop(0)
            self._headroom.append(self._new_node(warm=False))
            return warm_node
        return self._new_node(warm=warm)

    def _new_node(self, *, warm: bool) -> _Node:
        node = _Node(self._now, self._now + (0.0 if warm else self._times.boot), has_image=warm)
        self._nodes.append(node)
        return node

    def _stop(self) -> None:
        """Stop one replica in Kubernetes' order: not ready before ready, then the newest."""
        staying = [replica for replica in self._replicas if not replica.leaving]
        replica = max(staying, key=lambda one: (one.ready_at > self._now, one.ready_at))
        replica.leaving = True
        if replica.running:
            self._schedule(self._now + PRE_STOP_SECONDS + DRAIN_SECONDS, "gone", replica)
        else:
            self._end(replica)

    def _end(self, replica: _Replica) -> None:
        if replica not in self._replicas:
            return
        self._replicas.remove(replica)
        for number, request in replica.running.items():
            self._outcome.cut += 1
            self._queue.append((number, request))
        replica.running = {}
        replica.node.free_since = self._now
        self._schedule(self._now + UNNEEDED_SECONDS, "empty", replica.node)

    def _release(self, node: _Node, seconds: float) -> None:
        if node.free_since is not None and self._now - node.free_since >= UNNEEDED_SECONDS:
            self._nodes.remove(node)
            self._outcome.gpu_hours += max(0.0, min(self._now, seconds) - node.since) / 3600

    # ------------------------------------------------------------ autoscaling

    def _sync(self) -> None:
        running = sum(len(replica.running) for replica in self._replicas)
        if running or self._queue:
            self._active_at = self._now
        current = self._wanted
        if self._policy.minimum == 0 and self._now % autoscaling.POLL_SECONDS == 0:
            self._wake_or_sleep(current, unfinished=running + len(self._queue))
            current = self._wanted
        if current:
            self._autoscale(current, running)
        least, most = self._outcome.replicas
        self._outcome.replicas = (min(least, self._wanted), max(most, self._wanted))

    def _wake_or_sleep(self, current: int, *, unfinished: int) -> None:
        """KEDA's part: between zero and one replica; above, Kubernetes decides."""
        if current == 0 and unfinished:
            self._start()
        slept = self._now - self._active_at >= autoscaling.COOLDOWN_SECONDS
        if current and not unfinished and slept:
            for _ in range(current):
                self._stop()

    def _autoscale(self, current: int, running: int) -> None:
        waiting = len(self._queue)
        wanted = max(
            _replicas(running + waiting, autoscaling.LOAD_SHARE * self._concurrency, current),
            _replicas(waiting, autoscaling.WAITING_PER_REPLICA, current),
        )
        wanted = min(max(wanted, self._policy.minimum, 1), self._policy.maximum)
        self._advice.append((self._now, wanted))
        longest = max(autoscaling.SCALE_UP_SECONDS, autoscaling.SCALE_DOWN_SECONDS)
        while self._advice[0][0] < self._now - longest:
            self._advice.popleft()
        up = min(self._advised(autoscaling.SCALE_UP_SECONDS))
        down = max(self._advised(autoscaling.SCALE_DOWN_SECONDS))
        if up > current:
            allowed = autoscaling.SCALE_UP_REPLICAS - self._changed(
                1, autoscaling.SCALE_UP_PERIOD_SECONDS
            )
            for _ in range(min(up - current, allowed)):
                self._start()
                self._changes.append((self._now, 1))
        elif down < current:
            allowed = autoscaling.SCALE_DOWN_REPLICAS - self._changed(
                -1, autoscaling.SCALE_DOWN_PERIOD_SECONDS
            )
            for _ in range(min(current - down, allowed)):
                self._stop()
                self._changes.append((self._now, -1))

    def _advised(self, seconds: float) -> list[int]:
        return [wanted for at, wanted in self._advice if at >= self._now - seconds]

    def _changed(self, sign: int, seconds: float) -> int:
        return sum(change == sign and at > self._now - seconds for at, change in self._changes)


def _replicas(total: float, each: float, current: int) -> int:
    """Kubernetes' formula for the number of replicas."""
    if abs(total / (each * current) - 1) <= TOLERANCE:
        return current
    return math.ceil(total / each)
