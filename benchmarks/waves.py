"""Concurrent calls through the application's client, against a minimal client.

The endpoint answers at once, so this is the client's own cost per call. A real model takes seconds,
so the cost matters only where a function has a fraction of a core.
"""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import msgspec

from benchmarks import corpus, endpoint
from benchmarks.measure import SEED, Result, Side, compare
from functions.inference.endpoint import Endpoint
from functions.inference.router import Router
from functions.settings import Settings

CONCURRENCY = 8
PROMPT_CHARACTERS = 6000
SYSTEM = "You summarize a document."
MAX_TOKENS = 400

Answer = tuple[str, int, int]
"""Text, prompt tokens and completion tokens."""


def measure(*, size: int = 400, rounds: int = 5) -> list[Result]:
    """Make `size` calls, eight at a time; both sides must get the same answers."""
    users = [corpus.text(PROMPT_CHARACTERS, seed=SEED + call) for call in range(size)]
    with endpoint.running() as port, asyncio.Runner() as runner:
        settings = _settings(port)
        stack = AsyncExitStack()
        inference = runner.run(stack.enter_async_context(Router(settings)))
        streams = runner.run(stack.enter_async_context(Streams(port)))
        try:
            result = compare(
                "waves",
                ours=Side(
                    label=f"Router (httpx), {CONCURRENCY} calls at once",
                    run=lambda: runner.run(_complete_all(inference, users)),
                ),
                peer=Side(
                    label="asyncio streams, without errors, retries, deadlines",
                    run=lambda: runner.run(streams.complete_all(users)),
                ),
                digest=list,
                per="call",
                count=size,
                rounds=rounds,
            )
        finally:
            runner.run(stack.aclose())
    return [result]


async def _complete_all(router: Router, users: list[str]) -> list[Answer]:
    route = router.route("a document")

    async def ask(user: str) -> Answer:
        answer = await route.complete(
            system=SYSTEM, user=user, max_tokens=MAX_TOKENS, deadline=float("inf")
        )
        return answer.text, answer.usage.prompt_tokens, answer.usage.completion_tokens

    return await asyncio.gather(*map(ask, users))


def _settings(port: int) -> Settings:
    return Settings(
        variant="local",
        inference_mode="serverless",
        api_token="",
        store_url="",
        database_host="",
        database_port=0,
        database_name="",
        database_user="",
        database_password="",
        inference_endpoints=(
            Endpoint(
                name="fake",
                inference_mode="serverless",
                url=f"http://127.0.0.1:{port}/v1",
                model="fake",
                context_tokens=8192,
            ),
        ),
        inference_api_keys={"fake": "none"},
        inference_concurrency=CONCURRENCY,
    )


class Streams:
    """A client for one endpoint and one kind of request, without any check."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> Self:
        for _ in range(CONCURRENCY):
            connection = await asyncio.open_connection("127.0.0.1", self._port)
            self._connections.append(connection)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, writer in self._connections:
            writer.close()
            await writer.wait_closed()

    async def complete_all(self, users: list[str]) -> list[Answer]:
        """Send all prompts over all connections."""
        waiting = iter(enumerate(users))
        answers: dict[int, Answer] = {}

        async def work(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for index, user in waiting:
                answers[index] = await self._complete(reader, writer, user)

        await asyncio.gather(*(work(*connection) for connection in self._connections))
        return [answers[index] for index in range(len(users))]

    async def _complete(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str
    ) -> Answer:
        content = msgspec.json.encode(
            {
                "model": "fake",
                "messages": [
                    {"role": "system", "content": SYSTEM},
                    {"role": "user", "content": user},
                ],
                "max_tokens": MAX_TOKENS,
                "temperature": 0,
            }
        )
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Authorization: Bearer none\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
        )
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        answer = msgspec.json.decode(await reader.readexactly(length))
        usage = answer["usage"]
        text = answer["choices"][0]["message"]["content"].strip()
        return text, usage["prompt_tokens"], usage["completion_tokens"]
