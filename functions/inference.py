"""One call to an OpenAI-dialect endpoint, with the only retry loop of the application.

Sources: the chat completions reference (platform.openai.com/docs/api-reference/chat); what is
retried follows RFC 9110 and the official client (openai-python 3.3.1, read 2026-08-21).
"""

import asyncio
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Annotated, Any, Self

import httpx
import msgspec

from functions.errors import Code, Failure
from functions.settings import Settings

MAX_ATTEMPTS = 4
BACKOFF_SECONDS = 0.5
MAX_BACKOFF_SECONDS = 30.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_RETRY_AFTER_SECONDS = 86_400.0

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A complete, non-blank answer, and what it took. Tokens are the endpoint's own count."""

    text: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    calls: int


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    model: str = ""
    usage: _Usage | None = None


_completion = msgspec.json.Decoder(_Completion)


class Inference:
    """A client of one endpoint; use it as an async context manager.

    Args:
        settings: Where the endpoint is and how much it may be asked.
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
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.inference_concurrency)
        self._jitter = jitter
        self._client = httpx.AsyncClient(
            base_url=settings.inference_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {settings.inference_api_key}"},
            timeout=httpx.Timeout(settings.inference_timeout_seconds, connect=10),
            transport=transport,
            trust_env=transport is None,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def complete(self, *, system: str, user: str, max_tokens: int, deadline: float) -> Answer:
        """Ask once, and again where that may help, until `deadline` (of `time.monotonic`).

        An answer that was cut at `max_tokens` is asked for once more with twice the room.

        Raises:
            Failure: INFERENCE_UNAVAILABLE and DEADLINE_EXCEEDED are retryable later;
                INFERENCE_UNAUTHORIZED, INFERENCE_REJECTED, INFERENCE_EMPTY, INFERENCE_TRUNCATED and
                INFERENCE_FILTERED are not.
        """
        prompt_tokens = completion_tokens = calls = 0
        for room in (max_tokens, 2 * max_tokens):
            completion, tries = await self._ask(system, user, room, deadline)
            choice = completion.choices[0]
            usage = completion.usage or _Usage()
            calls += tries
            prompt_tokens += usage.prompt_tokens
            completion_tokens += usage.completion_tokens
            if choice.finish_reason == "length":
                continue
            return Answer(
                text=_text(choice),
                model=_storable(completion.model) or self._settings.inference_model,
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                calls=calls,
            )
        raise Failure(
            Code.INFERENCE_TRUNCATED,
            f"The model {self._settings.inference_model!r} did not finish its answer within "
            f"{2 * max_tokens} tokens.",
            "Choose a model that answers more briefly, or retry.",
        )

    async def _ask(
        self, system: str, user: str, max_tokens: int, deadline: float
    ) -> tuple[_Completion, int]:
        body = {
            "model": self._settings.inference_model,
            "messages": [
                {"role": "system", "content": system},
                {"role": "user", "content": user},
            ],
            "max_tokens": max_tokens,
            "temperature": 0,
        }
        for attempt in range(1, MAX_ATTEMPTS + 1):
            problem = await self._attempt(body, deadline)
            if isinstance(problem, _Completion):
                return problem, attempt
            if not problem.retryable or problem.code is Code.DEADLINE_EXCEEDED:
                raise problem
            backoff = min(MAX_BACKOFF_SECONDS, BACKOFF_SECONDS * 2 ** (attempt - 1))
            wait = max(problem.retry_after or 0.0, backoff * self._jitter())
            if attempt == MAX_ATTEMPTS or time.monotonic() + wait >= deadline:
                # Waiting is cheaper in the ledger than in a function that is paid by the second.
                raise problem
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, body: dict[str, Any], deadline: float) -> _Completion | Failure:
        if time.monotonic() >= deadline:
            return self._late()
        try:
            # The wait for a free slot counts, too: asyncio's clock is the monotonic one.
            async with asyncio.timeout_at(deadline), self._slots:
                async with asyncio.timeout(self._settings.inference_timeout_seconds):
                    response, content = await self._post(body)
        except TimeoutError:
            return self._late() if time.monotonic() >= deadline else self._away("did not answer")
        except httpx.HTTPError as error:
            return self._away(f"could not be reached ({type(error).__name__})")
        if response.status_code != 200:
            return self._refusal(response, content)
        try:
            return _completion.decode(content)
        except _UNREADABLE:
            return self._away("answered 200 with something that is no chat completion")

    async def _post(self, body: dict[str, Any]) -> tuple[httpx.Response, bytes]:
        content = bytearray()
        async with self._client.stream("POST", "chat/completions", json=body) as response:
            async for part in response.aiter_bytes():
                content += part
                if len(content) > MAX_ANSWER_BYTES:
                    raise httpx.DecodingError(f"more than {MAX_ANSWER_BYTES} bytes")
        return response, bytes(content)

    def _refusal(self, response: httpx.Response, content: bytes) -> Failure:
        status, said = response.status_code, self._said(content)
        if status in _RETRIED or status >= 500:
            return self._away(
                f"answered {status}{said}", retry_after(response.headers.get("Retry-After"))
            )
        if status in (401, 403):
            return Failure(
                Code.INFERENCE_UNAUTHORIZED,
                f"The inference endpoint {self._settings.inference_url} refused the key "
                f"({status}){said}.",
                "Set a valid key: pulumi config set --secret inference_api_key ...",
            )
        return Failure(
            Code.INFERENCE_REJECTED,
            f"The inference endpoint {self._settings.inference_url} refused the request "
            f"({status}){said}.",
            "Check pulumi config: inference_url, inference_model and inference_context_tokens.",
        )

    def _said(self, content: bytes) -> str:
        """What an OpenAI error object says, shortened; empty when there is none."""
        try:
            detail = msgspec.json.decode(content, type=_ErrorAnswer).error
        except _UNREADABLE:
            return ""
        if detail is None or not detail.message:
            return ""
        # Some endpoints repeat the key that they refuse.
        message = _storable(detail.message).replace(self._settings.inference_api_key, "***")
        return f": {' '.join(message.split())[:300]}"

    def _away(self, what: str, after: float | None = None) -> Failure:
        return Failure(
            Code.INFERENCE_UNAVAILABLE,
            f"The inference endpoint {self._settings.inference_url} {what}.",
            "It is tried again by itself.",
            retryable=True,
            retry_after=after,
        )

    def _late(self) -> Failure:
        return Failure(
            Code.DEADLINE_EXCEEDED,
            "The summary was not ready within "
            f"{self._settings.document_deadline_seconds:g} seconds.",
            "It is tried again by itself; a faster model or endpoint helps.",
            retryable=True,
        )


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


def _text(choice: _Choice) -> str:
    text = _storable(choice.message.content or "").strip()
    if choice.finish_reason == "content_filter":
        raise Failure(
            Code.INFERENCE_FILTERED,
            "The endpoint's content filter withheld the answer.",
            "Use another model or endpoint for this document.",
        )
    if choice.finish_reason != "stop" or not text:
        raise Failure(
            Code.INFERENCE_EMPTY,
            f"The model gave no summary (finish_reason {choice.finish_reason!r}, "
            f"{len(text)} characters).",
            "Retry the document; if it lasts, use another model.",
        )
    return text


class _ErrorDetail(msgspec.Struct):
    message: str = ""


class _ErrorAnswer(msgspec.Struct):
    error: _ErrorDetail | None = None


def _storable(text: str) -> str:
    """The text without NUL, which is legal in JSON and which PostgreSQL cannot store."""
    return text.replace("\0", "")
