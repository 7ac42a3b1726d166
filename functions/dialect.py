"""One question to one endpoint in OpenAI's chat completions dialect: asked once, understood whole.

Sources: the chat completions reference (platform.openai.com/docs/api-reference/chat); what may
pass follows RFC 9110 and the official client (openai-python 3.3.1, read 2026-08-21).
"""

import asyncio
import math
import ssl
import time
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, get_args

import httpx
import msgspec

from functions.bounded import exchange
from functions.breaker import Breaker
from functions.endpoint import Endpoint, Rung
from functions.errors import Code, Failure
from functions.replicas import answered_by
from functions.settings import Settings

MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_RETRY_AFTER_SECONDS = 86_400.0

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_OWN = frozenset({404})
"""Beside 401, 403 and redirects: refusals that concern the endpoint, whatever it is asked."""

_ASKED = ("url", "model", "context_tokens")
"""What a person can mend when a request is refused."""

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


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


class _ErrorDetail(msgspec.Struct):
    message: str = ""


class _ErrorBody(msgspec.Struct):
    error: _ErrorDetail | None = None


_body = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What an endpoint answered, whole or cut. Tokens are the endpoint's own count.

    Attributes:
        replica: Which of its replicas, where it says so.
    """

    text: str
    reason: str | None
    model: str
    prompt_tokens: int
    completion_tokens: int
    replica: str | None = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """No answer.

    Attributes:
        failure: What a person is told if nobody else answers.
        elsewhere: True when another endpoint may answer the same question.
        busy: True when the endpoint is well and asks for patience.
        asked: False when the endpoint was not even asked.
    """

    failure: Failure
    elsewhere: bool = True
    busy: bool = False
    asked: bool = True


class Client:
    """A client of one endpoint, with its breaker and its places."""

    def __init__(
        self, endpoint: Endpoint, settings: Settings, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.endpoint = endpoint
        self.breaker = Breaker()
        self._key = settings.inference_api_keys[endpoint.name]
        self._timeout = settings.inference_timeout_seconds
        self._patience = settings.document_deadline_seconds
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
    ) -> Completion | Refusal:
        """Ask once, until `deadline` (of `time.monotonic`); the breaker hears how it went."""
        if time.monotonic() >= deadline:
            return self._late()
        body = {"model": self.endpoint.model, "messages": messages, "temperature": 0, **options}
        outcome: Completion | Refusal
        asked = False
        try:
            # The wait for a free slot counts, too: asyncio's clock is the monotonic one.
            async with asyncio.timeout_at(deadline), self._slots:
                if not self.breaker.enter():  # it broke while this question waited for a slot
                    return self.resting()
                asked = True
                async with asyncio.timeout(self._timeout):
                    response, content = await exchange(
                        self.http, "POST", "chat/completions", limit=MAX_ANSWER_BYTES, json=body
                    )
        except TimeoutError:
            over = time.monotonic() >= deadline
            outcome = self._late() if over else self._away("did not answer")
        except httpx.HTTPError as error:
            outcome = self._away(f"could not be reached ({type(error).__name__})")
        else:
            outcome = self._understood(response, content)
        down = isinstance(outcome, Refusal) and outcome.failure.retryable and not outcome.busy
        if asked:
            self.breaker.note(good=not down)
        return outcome

    def resting(self) -> Refusal:
        """What to say instead of asking while the breaker is open."""
        wait = self.breaker.wait
        resting = self._away(f"failed too often and rests for {wait:.0f} seconds", wait)
        return replace(resting, asked=False)

    def _understood(self, response: httpx.Response, content: bytes) -> Completion | Refusal:
        if response.status_code != 200:
            return self._refusal(response, content)
        try:
            body = _body.decode(content)
        except _UNREADABLE:
            return self._away("answered 200 with something that is no chat completion")
        usage = body.usage or _Usage()
        return Completion(
            text=_storable(body.choices[0].message.content or "").strip(),
            reason=body.choices[0].finish_reason,
            model=_storable(body.model) or self.endpoint.model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            replica=answered_by(response.headers),
        )

    def _refusal(self, response: httpx.Response, content: bytes) -> Refusal:
        status, said, where = response.status_code, self._said(content), self.endpoint.url
        if status in _PASSING or status >= 500:
            after = retry_after(response.headers.get("Retry-After"))
            return self._away(f"answered {status}{said}", after, busy=status == 429)
        if status in (401, 403):
            return Refusal(
                failure=Failure(
                    Code.INFERENCE_UNAUTHORIZED,
                    f"The inference endpoint {where} refused the key ({status}){said}.",
                    f"Set a valid key: pulumi config set --secret {self._config('api_key')} ...",
                )
            )
        return Refusal(
            failure=Failure(
                Code.INFERENCE_REJECTED,
                f"The inference endpoint {where} refused the request ({status}){said}.",
                f"Check pulumi config: {', '.join(map(self._config, _ASKED))}.",
            ),
            elsewhere=status in _OWN or status < 400,
        )

    def _config(self, field: str) -> str:
        """The config key that a person set for this endpoint."""
        if self.endpoint.name in get_args(Rung):  # the rung's own
            return f"inference_{field}"
        if field == "api_key":
            return f"--path 'inference_endpoint_keys.{self.endpoint.name}'"
        return f"{field} in inference_endpoints of {self.endpoint.name!r}"

    def _said(self, content: bytes) -> str:
        """What an OpenAI error object says, shortened; empty when there is none."""
        try:
            detail = msgspec.json.decode(content, type=_ErrorBody).error
        except _UNREADABLE:
            return ""
        if detail is None or not detail.message:
            return ""
        # Some endpoints repeat the key that they refuse.
        message = _storable(detail.message).replace(self._key, "***")
        return f": {' '.join(message.split())[:300]}"

    def _away(self, what: str, after: float | None = None, *, busy: bool = False) -> Refusal:
        failure = Failure(
            Code.INFERENCE_UNAVAILABLE,
            f"The inference endpoint {self.endpoint.url} {what}.",
            "It is tried again by itself.",
            retryable=True,
            retry_after=after,
        )
        return Refusal(failure=failure, busy=busy)

    def _late(self) -> Refusal:
        failure = Failure(
            Code.DEADLINE_EXCEEDED,
            f"The summary was not ready within {self._patience:g} seconds.",
            "It is tried again by itself; a faster model or endpoint helps.",
            retryable=True,
        )
        return Refusal(failure=failure, elsewhere=False)


def retry_after(value: str | None) -> float | None:
    """Seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3); None when it is unusable."""
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
    """The text without NUL, which is legal in JSON and which PostgreSQL cannot store."""
    return text.replace("\0", "")
