"""The HTTP server: routes, keys and limits."""

import hmac
import math
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from components.local.model_server.openai_api import ApiError, ChatRequest
from components.local.model_server.summarizer import answer


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one server.

    Attributes:
        api_key: The bearer key of every request. Never shown.
        model: The only model id.
        context_tokens: Limit for the prompt and the answer together.
        requests_per_minute: Further requests get status 429; None is no limit.
        max_concurrency: Further concurrent requests get status 429; None is no limit.
        delay_seconds: Shortest duration of an answer, to simulate a slow model.
        replica: Value of the header `X-Replica`, for one of several behind a router; empty sends
            none.
    """

    api_key: str = field(repr=False)
    model: str = "extractive"
    context_tokens: int = 8192
    requests_per_minute: int | None = None
    max_concurrency: int | None = None
    delay_seconds: float = 0.0
    replica: str = ""


def create_app(settings: Settings, *, clock: Callable[[], float] = time.monotonic) -> Starlette:
    """Return the server as an ASGI application; its rate limit reads `clock`, in seconds."""
    server = _Server(settings, clock)
    return Starlette(
        routes=[
            Route("/healthz", server.health),
            Route("/v1/models", server.models),
            Route("/v1/models/{model:path}", server.model),
            Route("/v1/chat/completions", server.chat, methods=["POST"]),
        ],
        exception_handlers=dict.fromkeys([ApiError, HTTPException, Exception], server.error),
    )


class _Server:
    """The endpoints, with the state that they share."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._started = int(time.time())
        self._running = 0
        per_minute = settings.requests_per_minute
        self._rate_limit = None if per_minute is None else _RateLimit(per_minute, clock)

    async def health(self, request: Request) -> Response:
        """Health check; needs no key."""
        return self._json({"status": "ok", "model": self._settings.model})

    async def models(self, request: Request) -> Response:
        """List the one model."""
        self._authorize(request)
        return self._json({"object": "list", "data": [self._card()]})

    async def model(self, request: Request) -> Response:
        """Describe the one model."""
        self._authorize(request)
        self._check_model(request.path_params["model"])
        return self._json(self._card())

    async def chat(self, request: Request) -> Response:
        """Answer with a summary of the last user message."""
        self._authorize(request)
        headers = self._rate_limit.take() if self._rate_limit else {}
        chat = ChatRequest.parse(await request.body())
        self._check_model(chat.model)
        prompt_tokens = chat.count_tokens()
        room = self._room(prompt_tokens, chat.token_limit or 1)
        summary = await self._summarize(chat.prompt)
        reply = chat.reply(summary, chat.token_limit or room, prompt_tokens)
        if not chat.stream:
            return self._json(reply.completion(), headers=headers)
        with_usage = chat.stream_options is not None and chat.stream_options.include_usage
        headers = self._headers({"Cache-Control": "no-cache", **headers})
        events = reply.events(with_usage=with_usage)
        return StreamingResponse(events, 200, headers, "text/event-stream")

    async def error(self, request: Request, error: Exception) -> Response:
        """Answer any error with OpenAI's error object; hide the details of a defect."""
        if isinstance(error, HTTPException):
            message, code = f"Invalid URL ({request.method} {request.url.path}).", "unknown_url"
            if error.status_code == 405:
                message = f"Not allowed to {request.method} on {request.url.path}."
                code = "method_not_supported"
            error = ApiError(error.status_code, message, code=code, headers=error.headers)
        if not isinstance(error, ApiError):
            message = "The server had an error; its log has the cause."
            error = ApiError(500, message, kind="server_error")
        return self._json(error.body, status=error.status, headers=error.headers)

    async def _summarize(self, prompt: str) -> str:
        """Summarize in a thread, so that the server answers health checks meanwhile."""
        limit = self._settings.max_concurrency
        if limit is not None and self._running >= limit:
            raise _too_many(f"The limit of {limit} concurrent requests is reached.", 1, {})
        self._running += 1
        try:
            await anyio.sleep(self._settings.delay_seconds)
            return await run_in_threadpool(answer, prompt)
        finally:
            self._running -= 1

    def _authorize(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        same = hmac.compare_digest(key.strip().encode(), self._settings.api_key.encode())
        if scheme.lower() != "bearer" or not same:
            raise ApiError(
                401,
                "Missing or incorrect API key. Send this server's key in the header"
                " 'Authorization: Bearer KEY'.",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _check_model(self, model: str) -> None:
        if model != self._settings.model:
            raise ApiError(
                404,
                f"The model '{model}' does not exist. This server has '{self._settings.model}'.",
                code="model_not_found",
                param="model",
            )

    def _room(self, prompt: int, wanted: int) -> int:
        """Return the most tokens of the answer; refuse a request if fewer than wanted fit."""
        context = self._settings.context_tokens
        if prompt + wanted > context:
            raise ApiError(
                400,
                f"This model's maximum context length is {context} tokens. However, you requested"
                f" {prompt + wanted} tokens ({prompt} in the messages, {wanted} in the completion)."
                " Please reduce the length of the messages or completion.",
                code="context_length_exceeded",
                param="messages",
            )
        return context - prompt

    def _card(self) -> dict[str, Any]:
        card = {"id": self._settings.model, "object": "model", "owned_by": "seamless"}
        return {**card, "created": self._started}

    def _json(
        self, content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        body = msgspec.json.encode(content)
        return Response(body, status, self._headers(headers or {}), "application/json")

    def _headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Add what every response has."""
        replica = {"x-replica": self._settings.replica} if self._settings.replica else {}
        return {"x-request-id": f"req_{uuid.uuid4().hex}", **replica, **headers}


class _RateLimit:
    """A bucket of requests that starts full and refills evenly."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._limit = per_minute
        self._clock = clock
        self._level = float(per_minute)
        self._read_at = clock()

    def take(self) -> dict[str, str]:
        """Count a request and return its `x-ratelimit-*` headers.

        Raises:
            ApiError: The bucket is empty.
        """
        now, per_second = self._clock(), self._limit / 60
        self._level = min(self._limit, self._level + (now - self._read_at) * per_second)
        self._read_at = now
        # The tolerance keeps rounding from refusing a caller that waited exactly long enough.
        granted = self._level >= 1 - 1e-9
        self._level = max(0.0, self._level - granted)
        reset = (self._limit - self._level) / per_second
        headers = {
            "x-ratelimit-limit-requests": str(self._limit),
            "x-ratelimit-remaining-requests": str(int(self._level)),
            "x-ratelimit-reset-requests": f"{round(reset, 3):g}s",
        }
        if not granted:
            message = f"Rate limit reached: {self._limit} requests per minute."
            raise _too_many(message, (1 - self._level) / per_second, headers)
        return headers


def _too_many(message: str, seconds: float, headers: dict[str, str]) -> ApiError:
    return ApiError(
        429,
        f"{message} Try again in {seconds:.3g} second{'s' if seconds != 1 else ''}.",
        code="rate_limit_exceeded",
        kind="requests",
        headers={**headers, "Retry-After": str(max(1, math.ceil(seconds)))},
    )
