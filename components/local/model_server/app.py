"""The HTTP API of the model server: routes, keys and limits."""

import hmac
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from components.local.model_server.dialect import ApiError, parse
from components.local.model_server.extractive import answer
from components.local.model_server.limits import TokenBucket
from components.local.model_server.reply import Reply, finish


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one server.

    Attributes:
        api_key: The bearer key that callers must send. Never shown.
        model: The only model id that it accepts.
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
        middleware=[Middleware(_Named, replica=settings.replica)],
        exception_handlers={ApiError: _refuse, HTTPException: _refuse, Exception: _refuse},
    )


class _Server:
    """The endpoints, with the state that they share."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._started = int(time.time())
        self._running = 0
        per_minute = settings.requests_per_minute
        self._bucket = None if per_minute is None else TokenBucket(per_minute, clock)

    async def health(self, request: Request) -> Response:
        """Health check; needs no key."""
        return _json({"status": "ok", "model": self._settings.model})

    async def models(self, request: Request) -> Response:
        """List the one model."""
        self._authorize(request)
        return _json({"object": "list", "data": [self._card()]})

    async def model(self, request: Request) -> Response:
        """Describe the one model."""
        self._authorize(request)
        self._check_model(request.path_params["model"])
        return _json(self._card())

    async def chat(self, request: Request) -> Response:
        """Answer with a summary of the last user message."""
        self._authorize(request)
        headers = self._spend_one()
        chat = parse(await request.body())
        self._check_model(chat.model)
        prompt = chat.count_tokens()
        room = self._room(prompt, wanted=chat.token_limit or 1)
        summary = await self._work(chat.question)
        content, reason = finish(summary, stops=chat.stops, limit=chat.token_limit or room)
        reply = Reply(
            model=self._settings.model, content=content, reason=reason, prompt_tokens=prompt
        )
        if not chat.stream:
            return _json(reply.whole(), headers=headers)
        with_usage = chat.stream_options is not None and chat.stream_options.include_usage
        return StreamingResponse(
            reply.events(with_usage=with_usage),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache", **headers},
        )

    async def _work(self, question: str) -> str:
        """Summarize in a thread, so that the server answers health checks meanwhile."""
        places = self._settings.max_concurrency
        if places is not None and self._running >= places:
            raise ApiError(
                429,
                f"The limit of {places} concurrent requests is reached. Try again in 1 second.",
                code="rate_limit_exceeded",
                kind="requests",
                headers={"Retry-After": "1"},
            )
        self._running += 1
        try:
            await anyio.sleep(self._settings.delay_seconds)
            return await run_in_threadpool(answer, question)
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

    def _spend_one(self) -> dict[str, str]:
        """Count a request against the rate limit, and return its headers."""
        if self._bucket is None:
            return {}
        allowance = self._bucket.take()
        if not allowance.granted:
            raise ApiError(
                429,
                f"Rate limit reached: {allowance.limit} requests per minute."
                f" Try again in {allowance.retry_seconds:.3g} seconds.",
                code="rate_limit_exceeded",
                kind="requests",
                headers=allowance.headers(),
            )
        return allowance.headers()

    def _check_model(self, model: str) -> None:
        if model != self._settings.model:
            raise ApiError(
                404,
                f"The model '{model}' does not exist. This server has '{self._settings.model}'.",
                code="model_not_found",
                param="model",
            )

    def _room(self, prompt: int, *, wanted: int) -> int:
        """Return the most tokens that the answer may have; at least `wanted` must fit.

        Raises:
            ApiError: They do not fit.
        """
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
        return {
            "id": self._settings.model,
            "object": "model",
            "created": self._started,
            "owned_by": "seamless",
        }


class _Named:
    """Adds `x-request-id` and the name of the replica to every response."""

    def __init__(self, app: ASGIApp, replica: str) -> None:
        self._app = app
        self._replica = {"x-replica": replica} if replica else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tagged(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = f"req_{uuid.uuid4().hex}"
                headers.update(self._replica)
            await send(message)

        await self._app(scope, receive, tagged)


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer any error with OpenAI's error object."""
    refusal = error if isinstance(error, ApiError) else _in_dialect(request, error)
    return _json(refusal.body, status=refusal.status, headers=refusal.headers)


def _in_dialect(request: Request, error: Exception) -> ApiError:
    """Convert Starlette's 404 and 405 to OpenAI's format; hide the details of other errors."""
    if not isinstance(error, HTTPException):
        return ApiError(500, "The server had an error; its log has the cause.", kind="server_error")
    message, code = f"Invalid URL ({request.method} {request.url.path}).", "unknown_url"
    if error.status_code == 405:
        message = f"Not allowed to {request.method} on {request.url.path}."
        code = "method_not_supported"
    return ApiError(error.status_code, message, code=code, headers=error.headers)


def _json(
    content: dict[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    body = msgspec.json.encode(content)
    return Response(body, status_code=status, headers=headers, media_type="application/json")
