"""Questions to any of several endpoints, with the only retry loop of the application."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Self

import httpx

from functions.canary import Examination, examine
from functions.dialect import Client, Completion
from functions.endpoint import preferred
from functions.errors import Code, Failure
from functions.settings import Settings

MAX_ATTEMPTS = 4
"""For one question, all endpoints together: spending does not grow with their number."""

BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0

PATIENCE_SECONDS = 2.0
"""A busy endpoint is waited for so long, where another one could be asked instead."""

_NOBODY = Failure(
    Code.INFERENCE_UNAVAILABLE,
    "Every inference endpoint is out of service, because its canary was wrong.",
    "It is tried again by itself; /metrics shows which endpoints are up.",
    retryable=True,
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A complete, non-blank answer, who gave it, and what it took.

    Tokens are the endpoint's own count. A cost of None means that no price is known, a replica of
    None that the endpoint names none.
    """

    text: str
    model: str
    endpoint: str
    rung: str
    prompt_tokens: int
    completion_tokens: int
    calls: int
    cost_usd: float | None
    replica: str | None = None


class Inference:
    """The clients of all endpoints; use it as an async context manager.

    Args:
        settings: Where the endpoints are and how much they may be asked.
        transport: Takes the place of the network, for tests.
        jitter: Returns a number from 0 to 1 for each back-off.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._jitter = jitter
        self._endpoints = settings.inference_endpoints
        self._stack = AsyncExitStack()
        self.clients = {
            endpoint.name: Client(endpoint, settings, transport) for endpoint in self._endpoints
        }

    async def __aenter__(self) -> Self:
        for client in self.clients.values():
            await self._stack.enter_async_context(client.http)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def route(self, document: str, *, without: Collection[str] = ()) -> "Route":
        """The way of one document's questions; endpoints `without` are not asked."""
        clients = [self.clients[e.name] for e in preferred(self._endpoints, document)]
        return Route([c for c in clients if c.endpoint.name not in without], self._jitter)

    async def examine(self, endpoint: str) -> Examination:
        """Ask one endpoint its canary."""
        return await examine(self.clients[endpoint])


class Route:
    """Endpoints in the order in which one document asks them (see `functions.summarize.Model`)."""

    def __init__(self, clients: list[Client], jitter: Callable[[], float]) -> None:
        self._clients = clients
        self._jitter = jitter

    async def complete(self, *, system: str, user: str, max_tokens: int, deadline: float) -> Answer:
        """Ask, and again or elsewhere where that may help, until `deadline` of `time.monotonic`.

        An answer that was cut at `max_tokens` is asked for once more with twice the room.

        Raises:
            Failure: INFERENCE_UNAVAILABLE and DEADLINE_EXCEEDED are retryable later;
                INFERENCE_UNAUTHORIZED, INFERENCE_REJECTED, INFERENCE_EMPTY, INFERENCE_TRUNCATED and
                INFERENCE_FILTERED are not.
        """
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        prompt_tokens = completion_tokens = calls = 0
        cost: float | None = 0.0
        for room in (max_tokens, 2 * max_tokens):
            completion, client, tries = await self._ask(messages, room, deadline)
            used = completion.prompt_tokens, completion.completion_tokens
            price = client.endpoint.cost_usd(*used)
            cost = None if cost is None or price is None else cost + price
            calls += tries
            prompt_tokens += used[0]
            completion_tokens += used[1]
            if completion.reason == "length":
                continue
            _check(completion)
            return Answer(
                text=completion.text,
                model=completion.model,
                endpoint=client.endpoint.name,
                rung=client.endpoint.rung,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                calls=calls,
                cost_usd=cost,
                replica=completion.replica,
            )
        raise Failure(
            Code.INFERENCE_TRUNCATED,
            f"The model {client.endpoint.model!r} did not finish its answer within "
            f"{2 * max_tokens} tokens.",
            "Choose a model that answers more briefly, or retry.",
        )

    async def _ask(
        self, messages: list[dict[str, str]], max_tokens: int, deadline: float
    ) -> tuple[Completion, Client, int]:
        """Ask every endpoint once per round, with a pause between rounds, within the budget."""
        usable, waited, refused, tries = list(self._clients), set[Client](), _NOBODY, 0
        for round_ in count():
            turn = deque(client for client in usable if not client.breaker.wait)
            passing: dict[Client, Failure] = {}
            while turn and tries < MAX_ATTEMPTS:
                client = turn.popleft()
                outcome = await client.ask(messages, deadline=deadline, max_tokens=max_tokens)
                if isinstance(outcome, Completion):
                    return outcome, client, tries + 1
                tries += outcome.asked
                if not outcome.elsewhere:
                    raise outcome.failure
                if not outcome.failure.retryable:
                    refused = outcome.failure
                    usable.remove(client)
                    continue
                passing[client] = outcome.failure
                after = outcome.failure.retry_after or 0.0
                if turn and outcome.busy and after <= PATIENCE_SECONDS and client not in waited:
                    waited.add(client)
                    turn.appendleft(client)
                    await asyncio.sleep(after)
                elif turn:
                    client.breaker.rest(after)
            if not passing:
                soonest = min(usable, key=lambda client: client.breaker.wait, default=None)
                raise soonest.resting().failure if soonest else refused
            backoff = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2**round_) * self._jitter()
            waits = {client: failure.retry_after or 0.0 for client, failure in passing.items()}
            wait = max(min(waits.values()), backoff)
            # Waiting is cheaper in the ledger than in a function that is paid by the second.
            leave = tries == MAX_ATTEMPTS or time.monotonic() + wait >= deadline
            for client, seconds in waits.items():
                if leave or seconds > wait:
                    client.breaker.rest(seconds)
            if leave:
                raise min(passing.values(), key=lambda failure: failure.retry_after or 0.0)
            await asyncio.sleep(wait)
        raise AssertionError("a round ends in an answer, a failure or the next round")


def _check(completion: Completion) -> None:
    if completion.reason == "content_filter":
        raise Failure(
            Code.INFERENCE_FILTERED,
            "The endpoint's content filter withheld the answer.",
            "Use another model or endpoint for this document.",
        )
    if completion.reason != "stop" or not completion.text:
        raise Failure(
            Code.INFERENCE_EMPTY,
            f"The model gave no summary (finish_reason {completion.reason!r}, "
            f"{len(completion.text)} characters).",
            "Retry the document; if it lasts, use another model.",
        )
