"""Calls of DigitalOcean's HTTP APIs: authenticated, tried again where safe, clear in error."""

import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx

TRIES = 5
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
LONGEST_WAIT = 60.0
"""Seconds that one `Retry-After` may hold us; the API's quota is per hour and per minute."""

_IDEMPOTENT = {"GET", "PUT", "DELETE"}

_REMEDIES = {
    HTTPStatus.UNAUTHORIZED: "Check DIGITALOCEAN_TOKEN: it is wrong, expired or revoked.",
    HTTPStatus.FORBIDDEN: "Give the token of DIGITALOCEAN_TOKEN the scope that this call needs.",
    HTTPStatus.CONFLICT: "Another one has this name: remove it, or choose another name.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Make it smaller: a built function may have 48 MB.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Mend the value that the answer names, or free what the "
    "account's limit counts.",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait a few minutes: the account's quota of calls is used up.",
}


class ApiError(Exception):
    """A call that was refused, or that nobody answered.

    Attributes:
        status: HTTP status; 0 when there was no answer.
        unsure: True when the call may have had its effect all the same.
    """

    def __init__(self, what: str, *, status: int, message: str, unsure: bool) -> None:
        remedy = _REMEDIES.get(
            HTTPStatus(status) if status in set(HTTPStatus) else HTTPStatus.OK,
            "Try again; status.digitalocean.com says whether something is down."
            if unsure
            else "Mend the value that the answer names.",
        )
        answer = f"answered {status}: {message}" if status else f"was not answered: {message}"
        super().__init__(f"{what} {answer}. {remedy}")
        self.status = status
        self.unsure = unsure


class Caller:
    """An API at one address, called as one account."""

    def __init__(
        self, base_url: str, auth: httpx.Auth, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = httpx.Client(
            base_url=base_url,
            auth=auth,
            timeout=TIMEOUT,
            headers={"User-Agent": "seamless"},
            verify=_authorities(),
        )
        self._sleep = sleep

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """Make the call; return the answer's JSON, or None where there is none.

        What is refused for its number (429) is tried again. So is what is lost or breaks on the
        other side (5xx), when repeating it does no harm.

        Raises:
            ApiError: for any answer above 399, and for none.
        """
        what = f"{method} {path}"
        for attempt in range(1, TRIES + 1):
            try:
                answer = self._client.request(method, path, json=body, params=query)
            except httpx.TransportError as error:
                status, wait = 0, None
                message = type(error).__name__
                lost = not isinstance(error, httpx.ConnectError)
            else:
                if answer.is_success:
                    return answer.json() if answer.content else None
                status, wait = answer.status_code, _retry_after(answer)
                message, lost = _message(answer), answer.is_server_error
            again = status == HTTPStatus.TOO_MANY_REQUESTS or (
                (lost or status == 0) and (method in _IDEMPOTENT or not lost)
            )
            if not again or attempt == TRIES:
                raise ApiError(what, status=status, message=message, unsure=lost)
            self._sleep(min(2.0 ** (attempt - 1) if wait is None else wait, LONGEST_WAIT))
        raise AssertionError("unreachable")

    def find(self, path: str, *, query: Mapping[str, str] | None = None) -> Any:
        """GET, with None for what is not there."""
        try:
            return self.call("GET", path, query=query)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def remove(self, path: str) -> None:
        """DELETE; what is gone already is fine."""
        try:
            self.call("DELETE", path)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


class Bearer(httpx.Auth):
    """`Authorization: Bearer`."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Any:
        """Add the header."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


@cache
def _authorities() -> ssl.SSLContext:
    """Who is trusted; read once, since it takes longer than a call."""
    return httpx.create_ssl_context()


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _message(answer: httpx.Response) -> str:
    """What the API says of an error: `message` at DigitalOcean's, `error` at OpenWhisk's."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        text = body.get("message") or body.get("error")
        if isinstance(text, str):
            return text.rstrip(".")
    return answer.reason_phrase
