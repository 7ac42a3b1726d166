"""ASGI middleware that names the replica in every response; vLLM loads it by `--middleware`."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

HEADER = b"x-replica"


class ReplicaHeader:
    """Adds the pod's name, `POD_NAME`, to the responses of an application."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._name = os.environ["POD_NAME"].encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, self._name)]
            await send(message)

        await self._app(scope, receive, named)
