"""Errors of the HTTP API: every exception becomes an `ErrorBody` with its status."""

import logging
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import HTTPExceptionHandler

from functions.api import schema
from functions.errors import Code, Failure
from functions.storage.ledger import DATABASE_ERRORS

log = logging.getLogger(__name__)

_STATUS = {
    Code.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.UNAUTHORIZED: HTTPStatus.UNAUTHORIZED,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    Code.CONFLICT: HTTPStatus.CONFLICT,
    Code.OBJECT_MISSING: HTTPStatus.CONFLICT,
    Code.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Code.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.DATABASE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}

DATABASE_UNAVAILABLE = Failure(
    Code.DATABASE_UNAVAILABLE,
    "The database did not answer.",
    "Try again in a moment; /healthz shows when it is back.",
)


def status_of(failure: Failure) -> HTTPStatus:
    """The HTTP status of a failure; 500 for a code that is no error of a request."""
    return _STATUS.get(failure.code, HTTPStatus.INTERNAL_SERVER_ERROR)


def error_body(failure: Failure) -> bytes:
    """The failure as the JSON of `ErrorBody`."""
    return msgspec.json.encode(
        schema.ErrorBody(schema.Error(failure.code.value, failure.message, failure.remedy))
    )


async def _on_failure(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Failure)  # noqa: S101  # Starlette's handlers are typed by Exception
    status = status_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    return Response(error_body(error), status, headers, media_type="application/json")


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # as above
    code, message = Code.NOT_FOUND, f"The path {request.url.path!r} does not exist."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        code = Code.METHOD_NOT_ALLOWED
        message = f"The path {request.url.path!r} does not support {request.method}."
    response = await _on_failure(
        request, Failure(code, message, "GET /openapi.json describes every request.")
    )
    response.headers.update(error.headers or {})
    return response


async def _on_database_error(request: Request, error: Exception) -> Response:
    log.warning("the database is unreachable: %s", type(error).__name__)
    return await _on_failure(request, DATABASE_UNAVAILABLE)


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    return Response(status_code=HTTPStatus.BAD_REQUEST)  # the client is gone


async def _on_unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return await _on_failure(
        request,
        Failure(
            Code.INTERNAL,
            f"The server stopped on an unexpected {type(error).__name__}.",
            "Report the error with the server's log lines.",
        ),
    )


EXCEPTION_HANDLERS: dict[type[Exception], HTTPExceptionHandler] = {
    Failure: _on_failure,
    HTTPException: _on_http_exception,
    **dict.fromkeys(DATABASE_ERRORS, _on_database_error),
    ClientDisconnect: _on_disconnect,
    Exception: _on_unexpected,
}
