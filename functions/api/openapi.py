"""The OpenAPI document of the API, from the same table of operations that routes it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from functions import __version__
from functions.api import schema


@dataclass(frozen=True)
class Operation:
    """One operation of the API: its route, authorization and description.

    Attributes:
        response: Type of the successful JSON response; None for plain text.
        errors: Error statuses, except 401 and 503, which every operation with a token may return,
            and 400 and 413, which every operation with a body may return.
        also: Further statuses with the same response.
        public: True when no token is required.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[[Request], Awaitable[Response]]
    summary: str
    request: type[msgspec.Struct] | None = None
    response: type[msgspec.Struct] | None = None
    status: HTTPStatus = HTTPStatus.OK
    query: dict[str, str] = field(default_factory=dict)
    errors: Sequence[HTTPStatus] = ()
    also: Sequence[HTTPStatus] = ()
    public: bool = False


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Describe the operations as OpenAPI 3.1."""
    named = [t for o in operations for t in (o.request, o.response) if t is not None]
    _, components = msgspec.json.schema_components(
        [schema.ErrorBody, *named], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Seamless document summarization",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _describe(operation: Operation) -> dict[str, Any]:
    errors = set(operation.errors)
    if operation.request:
        errors |= {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    if not operation.public:
        errors |= {HTTPStatus.UNAUTHORIZED, HTTPStatus.SERVICE_UNAVAILABLE}
    description: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": operation.summary,
        "parameters": [
            *(
                {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "string", "format": "uuid"},
                }
                for _ in range(operation.path.count("{id}"))
            ),
            *(
                {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
                for name, text in operation.query.items()
            ),
        ],
        "responses": {
            **{
                str(status.value): {
                    "description": status.phrase,
                    "content": _content(operation.response),
                }
                for status in (operation.status, *operation.also)
            },
            **{
                str(status.value): {
                    "description": status.phrase,
                    "content": _content(schema.ErrorBody),
                }
                for status in sorted(errors)
            },
        },
        "security": [] if operation.public else [{"token": []}],
    }
    if operation.request:
        description["requestBody"] = {"required": True, "content": _content(operation.request)}
    return description


def _content(kind: type[msgspec.Struct] | None) -> dict[str, Any]:
    if kind is None:
        return {"text/plain": {"schema": {"type": "string"}}}
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}
