"""HTTP requests and responses of API Gateway, payload format 2.0.

The format: docs.aws.amazon.com/apigateway/latest/developerguide, page
http-api-develop-integrations-lambda.html.
"""

import base64
import json
from collections.abc import Mapping
from typing import NotRequired, TypedDict

from functions.handlers.asgi import Answer, Request, too_large

MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
"""Largest response of a function, as JSON: docs.aws.amazon.com/lambda/latest/dg,
gettingstarted-limits.html (read 2026-11-29). Lambda's error for a larger one names 100 bytes more.
"""


class HttpEvent(TypedDict):
    """The fields of a request that we read."""

    requestContext: Mapping[str, Mapping[str, str]]
    rawPath: str
    rawQueryString: NotRequired[str]
    headers: NotRequired[dict[str, str]]
    body: NotRequired[str | None]
    isBase64Encoded: NotRequired[bool]


class HttpResult(TypedDict):
    """A response."""

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


def to_request(event: HttpEvent) -> Request:
    """The request of an event."""
    body = event.get("body") or ""
    return Request(
        method=event["requestContext"]["http"]["method"],
        path=event["rawPath"],
        query=event.get("rawQueryString", ""),
        headers=event.get("headers", {}),
        body=base64.b64decode(body) if event.get("isBase64Encoded") else body.encode(),
    )


def to_result(answer: Answer) -> HttpResult:
    """A response as the gateway expects it; an error when Lambda would not pass it on."""
    result: HttpResult = {
        "statusCode": answer.status,
        "headers": dict(answer.headers),
        "body": base64.b64encode(answer.body).decode(),
        "isBase64Encoded": True,  # the gateway decodes it, whatever the content type
    }
    size = len(json.dumps(result))
    if size <= MAX_PAYLOAD_BYTES:
        return result
    return to_result(too_large(size, limit=MAX_PAYLOAD_BYTES))
