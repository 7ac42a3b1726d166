"""The router over all inference endpoints. It holds the only retry loop of the application."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import httpx

from functions.errors import Code, Failure
from functions.inference.canary import CanaryResult, run_canary
from functions.inference.client import Client, Completion
from functions.inference.endpoint import Endpoint, preferred
from functions.inference.refusal import ModelNotFound, advice
from functions.inference.usage import Summary, Usage
from functions.settings import Settings

MAX_TEXT_BYTES = 16 * 1024
"""Longest text of one answer. It is far above the token limit, which some endpoints ignore.

A page of 50 documents stays below the 1 MB that DigitalOcean Functions return, and the 6 MB of
AWS Lambda.
"""

MAX_ATTEMPTS = 4
"""Requests for one prompt, over all endpoints: spending does not grow with their number."""

BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0

PATIENCE_SECONDS = 2.0
"""Longest wait for a busy endpoint (429) while another endpoint could be called instead."""

_ALL_OUT = Failure(
    Code.INFERENCE_UNAVAILABLE,
    "Every inference endpoint is out of service because it failed its canary.",
    "It is retried automatically; /metrics shows which endpoints are up.",
    retryable=True,
)


class Router:
    """The clients of all endpoints; use it as an async context manager.

    Args:
        settings: The endpoints, their keys, and the limits for calls.
        transport: Replaces the network, for tests.
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

    def route(
        self,
        document_id: str,
        *,
        without: Collection[str] = (),
        missing: ModelNotFound | None = None,
    ) -> "RoutedClient":
        """A client for one document that skips the endpoints named in `without`.

        Args:
            missing: The failure of a skipped endpoint that lacks its model.
        """
        clients = [self.clients[e.name] for e in preferred(self._endpoints, document_id)]
        usable = [c for c in clients if c.endpoint.name not in without]
        return RoutedClient(usable, self._jitter, missing)

    async def run_canary(self, endpoint: str) -> CanaryResult:
        """Send the canary to the endpoint of this name."""
        return await run_canary(self.clients[endpoint])


class RoutedClient:
    """Calls the endpoints in the preferred order of one document."""

    def __init__(
        self, clients: list[Client], jitter: Callable[[], float], missing: ModelNotFound | None
    ) -> None:
        self._clients = clients
        self._jitter = jitter
        self._missing = missing

    async def complete(
        self, *, system: str, user: str, max_tokens: int, deadline: float
    ) -> Summary:
        """Return the answer to one prompt; retry and switch endpoints until `deadline`.

        An answer that was cut at `max_tokens`, or is longer than `MAX_TEXT_BYTES`, is requested
        once more with twice as many tokens.

        Args:
            deadline: By `time.monotonic`.

        Raises:
            Failure: INFERENCE_UNAVAILABLE and DEADLINE_EXCEEDED are retryable later, and
                MODEL_NOT_FOUND, if an endpoint lacks its model and no other has one;
                INFERENCE_UNAUTHORIZED, INFERENCE_REJECTED, INFERENCE_EMPTY, INFERENCE_TRUNCATED and
                INFERENCE_FILTERED are not.
        """
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        usages: list[Usage] = []
        for limit in (max_tokens, 2 * max_tokens):
            completion, endpoint, calls = await self._call(messages, limit, deadline)
            usages.append(_usage(completion, endpoint, calls))
            if completion.reason != "length" and len(completion.text.encode()) <= MAX_TEXT_BYTES:
                _check(completion)
                return Summary(text=completion.text, usage=Usage.total(usages))
        raise Failure(
            Code.INFERENCE_TRUNCATED,
            f"The answer of model {endpoint.model!r} was longer than {limit} tokens.",
            "Choose a model that answers more briefly, or retry.",
        )

    async def _call(
        self, messages: list[dict[str, str]], max_tokens: int, deadline: float
    ) -> tuple[Completion, Endpoint, int]:
        """Call every endpoint once per round, with a pause between rounds.

        Returns the completion, its endpoint, and the number of requests.
        """
        usable, waited, calls, round_ = list(self._clients), set[Client](), 0, 0
        refusals: dict[Endpoint, Failure] = {}
        while True:
            queue = deque(client for client in usable if not client.breaker.retry_after)
            retryable: dict[Client, Failure] = {}
            while queue and calls < MAX_ATTEMPTS:
                client = queue.popleft()
                outcome = await client.ask(messages, deadline=deadline, max_tokens=max_tokens)
                if isinstance(outcome, Completion):
                    return outcome, client.endpoint, calls + 1
                calls += outcome.called
                if not outcome.elsewhere:
                    raise outcome.failure
                missing = isinstance(outcome.failure, ModelNotFound)
                if missing and not outcome.called:
                    continue  # it is paused
                if missing or not outcome.failure.retryable:
                    refusals[client.endpoint] = outcome.failure
                    usable.remove(client)
                    continue
                retryable[client] = outcome.failure
                after = outcome.failure.retry_after or 0.0
                if queue and outcome.busy and after <= PATIENCE_SECONDS and client not in waited:
                    waited.add(client)
                    queue.appendleft(client)
                    await asyncio.sleep(after)
                elif queue:
                    client.breaker.open_for(after)
            if not retryable:
                paused = [client.paused().failure for client in usable]
                raise _failure(paused, refusals, self._missing)
            backoff = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2**round_) * self._jitter()
            waits = {client: failure.retry_after or 0.0 for client, failure in retryable.items()}
            wait = max(min(waits.values()), backoff)
            # Waiting is cheaper in the ledger than in a function that is billed by the second.
            give_up = calls == MAX_ATTEMPTS or time.monotonic() + wait >= deadline
            for client, seconds in waits.items():
                if give_up or seconds > wait:
                    client.breaker.open_for(seconds)
            if give_up:
                raise min(retryable.values(), key=lambda failure: failure.retry_after or 0.0)
            await asyncio.sleep(wait)
            round_ += 1


def _failure(
    paused: list[Failure], refusals: Mapping[Endpoint, Failure], missing: ModelNotFound | None
) -> Failure:
    """The failure when no endpoint can be called now.

    Args:
        paused: Of the endpoints that are paused.
        refusals: Of the others that were called.
        missing: Of an endpoint that was skipped.
    """
    if soon := [failure for failure in paused if not isinstance(failure, ModelNotFound)]:
        return min(soon, key=lambda failure: failure.retry_after or 0.0)
    failures = [*refusals.values(), *paused]
    missing = missing or next((f for f in failures if isinstance(f, ModelNotFound)), None)
    if missing:
        others = (advice(f) for f in refusals.values() if not isinstance(f, ModelNotFound))
        return missing.beside(others, refusals)
    return failures[-1] if failures else _ALL_OUT


def _usage(completion: Completion, endpoint: Endpoint, calls: int) -> Usage:
    tokens = completion.prompt_tokens, completion.completion_tokens
    return Usage(
        model=completion.model,
        inference_mode=endpoint.inference_mode,
        endpoint=endpoint.name,
        endpoints=[endpoint.name],
        replicas=[completion.replica] if completion.replica else [],
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        calls=calls,
        # The price of a successor is unknown.
        cost_usd=endpoint.cost_usd(*tokens) if completion.requested == endpoint.model else None,
    )


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
            f"The model returned no summary (finish_reason {completion.reason!r}, "
            f"{len(completion.text)} characters).",
            "Retry the document; if it fails again, use another model.",
        )
