"""Says in every answer of a model server which replica gave it; vLLM loads it by `--middleware`."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

HEADER = b"x-replica"


class Replica:
    """An ASGI application that adds the pod's name, `POD_NAME`, to the answers of another one."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._name = os.environ["POD_NAME"].encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (HEADER, self._name)]
            await send(message)

        await self._app(scope, receive, named)
