"""An HTTP API of API Gateway with payload format 2.0.

After docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
(read 2026-11-22).
"""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from components.aws.functions import HEALTH_ROUTE
from functions.handlers.asgi import Answer, Request
from tests.support.hosts.execution import Execution, ExecutionError
from tests.support.hosts.web import Respond

Json = dict[str, Any]

HOST = "abc123.execute-api.us-east-1.amazonaws.com"

MAX_BODY_BYTES = 10_000_000
"""docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html (read 2026-11-22)."""

MAX_RESULT_BYTES = 6_291_556
"""Lambda's largest result, of 6 MB and 100 bytes; the gateway then answers with its own error.

`MaxPayloadSize` of github.com/aws/aws-lambda-runtime-interface-emulator at bef5c4ba; the error of
Lambda names the same number. The status of the gateway is not verified.
"""

TIMEOUT_SECONDS = 30.0
"""Maximum integration timeout; the same page."""


def gateway(api: Execution) -> Respond:
    """A handler that answers requests by a function."""

    def respond(request: Request) -> Answer:
        if len(request.body) > MAX_BODY_BYTES:
            return _error(413, "Request Entity Too Large")
        try:
            result = api.call(
                event(
                    request.method,
                    request.path,
                    query=request.query,
                    headers={**request.headers, "host": HOST, "x-forwarded-proto": "https"},
                    body=request.body,
                )
            )
        except ExecutionError:
            return _error(500, "Internal Server Error")
        if len(json.dumps(result)) > MAX_RESULT_BYTES:
            return _error(500, "Internal Server Error")
        body = result.get("body", "")
        return Answer(
            status=result["statusCode"],
            headers=result.get("headers", {}),
            body=base64.b64decode(body) if result.get("isBase64Encoded") else body.encode(),
        )

    return respond


def event(
    method: str, path: str, *, query: str = "", headers: Mapping[str, str], body: bytes | None
) -> Json:
    """The event of a request; a binary body is encoded."""
    route = HEALTH_ROUTE if path == HEALTH_ROUTE.split()[1] else "$default"
    described: Json = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": dict(headers),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "domainName": HOST,
            "domainPrefix": "abc123",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "requestId": "id",
            "routeKey": route,
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime()),
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }
    if body:
        try:
            described["body"] = body.decode()
        except UnicodeDecodeError:
            described |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return described


def _error(status: int, message: str) -> Answer:
    return Answer(
        status=status,
        headers={"content-type": "application/json"},
        body=json.dumps({"message": message}).encode(),
    )
