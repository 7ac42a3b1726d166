"""One request of an HTTP API at API Gateway, payload format 2.0, answered by an ASGI application.

The format: docs.aws.amazon.com/apigateway/latest/developerguide, page
http-api-develop-integrations-lambda.html.
"""

import asyncio
import base64
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

Event = dict[str, Any]


async def respond(app: ASGIApp, event: Event) -> dict[str, Any]:
    """Return the application's answer to a request."""
    text = event.get("body") or ""
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
    requests: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    answer: dict[str, Any] = {"statusCode": 500, "headers": {}}
    parts: list[bytes] = []

    async def receive() -> Message:
        # The gateway waits for the answer: nobody ever hangs up.
        return requests.pop() if requests else await asyncio.Future[Message]()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer["statusCode"] = message["status"]
            for name, value in message["headers"]:
                given = answer["headers"].get(name.decode("latin-1"))
                joined = value.decode("latin-1")
                answer["headers"][name.decode("latin-1")] = (
                    f"{given}, {joined}" if given else joined
                )
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(_scope(event), receive, send)
    # The gateway decodes it, whatever the type.
    return {**answer, "body": base64.b64encode(b"".join(parts)).decode(), "isBase64Encoded": True}


def _scope(event: Event) -> dict[str, Any]:
    request, path = event["requestContext"]["http"], event["rawPath"]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request["method"],
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": event.get("rawQueryString", "").encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
            for name, value in event.get("headers", {}).items()
        ],
        "client": (request["sourceIp"], 0),
        "server": (event["requestContext"]["domainName"], 443),
    }
