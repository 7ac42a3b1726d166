"""One request of an HTTP API at API Gateway, payload format 2.0, answered by an ASGI application.

The format: docs.aws.amazon.com/apigateway/latest/developerguide, page
http-api-develop-integrations-lambda.html.
"""

import base64
from typing import Any

from starlette.types import ASGIApp

from functions.handlers import asgi

Event = dict[str, Any]


async def respond(app: ASGIApp, event: Event) -> dict[str, Any]:
    """Return the application's answer to a request."""
    text = event.get("body") or ""
    answer = await asgi.answer(
        app,
        asgi.Request(
            method=event["requestContext"]["http"]["method"],
            path=event["rawPath"],
            query=event.get("rawQueryString", ""),
            headers=event.get("headers", {}),
            body=base64.b64decode(text) if event.get("isBase64Encoded") else text.encode(),
        ),
    )
    return {
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "body": base64.b64encode(answer.body).decode(),
        "isBase64Encoded": True,  # the gateway decodes it, whatever the type
    }
