"""The client of one OpenAI-compatible endpoint: one request per call, without retries.

Sources: the chat completions reference (platform.openai.com/docs/api-reference/chat); the retryable
statuses follow RFC 9110 and the official client (openai-python 3.3.1, read 2026-08-21).
"""

import asyncio
import logging
import math
import ssl
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import httpx
import msgspec

from functions.errors import Code, Failure
from functions.inference.circuit_breaker import CircuitBreaker
from functions.inference.endpoint import Endpoint
from functions.inference.limited_response import read_limited
from functions.inference.refusal import (
    UNREADABLE,
    ErrorDetail,
    ModelNotFound,
    config_key,
    read_error,
    set_line,
)
from functions.inference.replica_status import answered_by
from functions.settings import Settings

MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_RETRY_AFTER_SECONDS = 86_400.0

_RETRYABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_ENDPOINT_ONLY = frozenset({404})
"""Beside 401, 403 and redirects: statuses that another endpoint may not return."""

MISSING_SECONDS = 60.0
"""Pause of an endpoint that does not have the model, in one process."""

_REQUEST_CONFIG = ("url", "model", "context_tokens")
"""Config keys to check when an endpoint rejects a request."""

log = logging.getLogger(__name__)


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Body(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    model: str = ""
    usage: _Usage | None = None


_body = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """An endpoint's answer, complete or cut. Tokens are as the endpoint counts them.

    Attributes:
        reason: `finish_reason` of the answer, such as `stop` or `length`.
        requested: Model of the request: the endpoint's or its successor.
        replica: The replica that answered, where the endpoint reports it.
    """

    text: str
    reason: str | None
    model: str
    requested: str
    prompt_tokens: int
    completion_tokens: int
    replica: str | None = None


@dataclass(frozen=True, kw_only=True)
class FailedCall:
    """A call without an answer.

    Attributes:
        failure: The error to show if no other endpoint answers.
        elsewhere: True when another endpoint may accept the same request.
        busy: True for 429: the endpoint works and asks callers to slow down.
        called: False when no request was sent.
    """

    failure: Failure
    elsewhere: bool = True
    busy: bool = False
    called: bool = True


class Client:
    """A client of one endpoint, with its circuit breaker and its limit of concurrent calls."""

    def __init__(
        self, endpoint: Endpoint, settings: Settings, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.endpoint = endpoint
        self.breaker = CircuitBreaker()
        self._model = endpoint.model
        self._missing: ModelNotFound | None = None
        self._key = settings.inference_api_keys[endpoint.name]
        self._timeout = settings.inference_timeout_seconds
        self._document_deadline = settings.document_deadline_seconds
        self._slots = asyncio.Semaphore(settings.inference_concurrency)
        self.http = httpx.AsyncClient(
            base_url=endpoint.url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=httpx.Timeout(self._timeout, connect=10),
            verify=ssl.create_default_context(cadata=endpoint.ca) if endpoint.ca else True,
            transport=transport,
            trust_env=transport is None,
        )

    async def ask(
        self, messages: list[dict[str, str]], *, deadline: float, **options: Any
    ) -> Completion | FailedCall:
        """Send one request, with `deadline` by `time.monotonic`, and record it in the breaker.

        If the model no longer exists, the successor is requested, from then on.
        """
        requested, successor = self._model, self.endpoint.successor
        outcome = await self._ask(requested, messages, deadline, options)
        if not successor or requested == successor or not _missing(outcome):
            return outcome
        if self._model != successor:
            log.warning(
                "%s: %s is requested in place of %s", self.endpoint.name, successor, requested
            )
            self._model = successor
        return await self._ask(successor, messages, deadline, options)

    async def _ask(
        self, model: str, messages: list[dict[str, str]], deadline: float, options: dict[str, Any]
    ) -> Completion | FailedCall:
        if time.monotonic() >= deadline:
            return self._late()
        body = {"model": model, "messages": messages, "temperature": 0, **options}
        outcome: Completion | FailedCall
        called = False
        try:
            # The deadline includes the wait for a slot; asyncio uses the monotonic clock.
            async with asyncio.timeout_at(deadline), self._slots:
                if not self.breaker.allow():  # it opened while this call waited for a slot
                    return self.paused()
                called = True
                async with asyncio.timeout(self._timeout):
                    response, content = await read_limited(
                        self.http, "POST", "chat/completions", limit=MAX_ANSWER_BYTES, json=body
                    )
        except TimeoutError:
            over = time.monotonic() >= deadline
            silent = f"did not answer within {self._timeout:g} seconds"
            outcome = self._late() if over else self._unavailable(silent)
        except httpx.HTTPError as error:
            outcome = self._unavailable(f"is unreachable ({type(error).__name__})")
        else:
            outcome = self._parse(model, response, content)
        down = isinstance(outcome, FailedCall) and outcome.failure.retryable and not outcome.busy
        if called:
            self._missing = _missing(outcome)
            self.breaker.record(good=not down or self._missing is not None)
            if self._missing and model == (self.endpoint.successor or model):
                self.breaker.open_for(MISSING_SECONDS)
        return outcome

    def paused(self) -> FailedCall:
        """The refusal of a call while the breaker is open."""
        if self._missing:
            return FailedCall(failure=self._missing, called=False)
        wait = self.breaker.retry_after
        refusal = self._unavailable(f"failed too often and is paused for {wait:.0f} seconds", wait)
        return replace(refusal, called=False)

    def _parse(
        self, model: str, response: httpx.Response, content: bytes
    ) -> Completion | FailedCall:
        if response.status_code != 200:
            return self._refusal(response, content)
        try:
            body = _body.decode(content)
        except UNREADABLE:
            return self._unavailable("answered 200 with a body that is not a chat completion")
        usage = body.usage or _Usage()
        return Completion(
            text=_storable(body.choices[0].message.content or "").strip(),
            reason=body.choices[0].finish_reason,
            model=_storable(body.model) or model,
            requested=model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            replica=answered_by(response.headers),
        )

    def _refusal(self, response: httpx.Response, content: bytes) -> FailedCall:
        status, error, url = response.status_code, read_error(content), self.endpoint.url
        detail = self._detail(error)
        if error.is_about_the_model(status):
            return FailedCall(failure=ModelNotFound.at(self.endpoint, f" ({status}){detail}"))
        if status in _RETRYABLE or status >= 500:
            after = retry_after(response.headers.get("Retry-After"))
            return self._unavailable(f"answered {status}{detail}", after, busy=status == 429)
        if status in (401, 403):
            return FailedCall(
                failure=Failure(
                    Code.INFERENCE_UNAUTHORIZED,
                    f"The inference endpoint {url} rejected the API key ({status}){detail}.",
                    f"Set a valid key: {set_line(self.endpoint, 'api_key')}",
                )
            )
        return FailedCall(
            failure=Failure(
                Code.INFERENCE_REJECTED,
                f"The inference endpoint {url} rejected the request ({status}){detail}.",
                f"Check pulumi config: "
                f"{', '.join(config_key(self.endpoint, field) for field in _REQUEST_CONFIG)}.",
            ),
            elsewhere=status in _ENDPOINT_ONLY or status < 400,
        )

    def _detail(self, error: ErrorDetail) -> str:
        """The message of an OpenAI error object, shortened; empty when there is none."""
        # Some endpoints repeat the rejected key.
        message = _storable(error.message).replace(self._key, "***")
        return f": {' '.join(message.split())[:300]}" if message else ""

    def _unavailable(
        self, problem: str, after: float | None = None, *, busy: bool = False
    ) -> FailedCall:
        failure = Failure(
            Code.INFERENCE_UNAVAILABLE,
            f"The inference endpoint {self.endpoint.url} {problem}.",
            "It is retried automatically.",
            retryable=True,
            retry_after=after,
        )
        return FailedCall(failure=failure, busy=busy)

    def _late(self) -> FailedCall:
        failure = Failure(
            Code.DEADLINE_EXCEEDED,
            f"The summary was not ready within {self._document_deadline:g} seconds.",
            "It is retried automatically; a faster model or endpoint helps.",
            retryable=True,
        )
        return FailedCall(failure=failure, elsewhere=False)


def _missing(outcome: Completion | FailedCall) -> ModelNotFound | None:
    """The failure of an endpoint that does not have the model."""
    failure = outcome.failure if isinstance(outcome, FailedCall) else None
    return failure if isinstance(failure, ModelNotFound) else None


def retry_after(value: str | None) -> float | None:
    """Seconds of a `Retry-After` header (RFC 9110, 10.2.3); None when it cannot be parsed."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS) if 0 <= seconds < math.inf else None


def _storable(text: str) -> str:
    """The text without NUL: JSON allows it, PostgreSQL cannot store it."""
    return text.replace("\0", "")
