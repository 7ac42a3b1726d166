"""An HTTP client of DigitalOcean's APIs, with authentication, safe retries and clear errors."""

import ssl
import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx

TRIES = 5
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
LONGEST_WAIT = 60.0
"""Longest pause before a retry in seconds; the API's quota is per hour and per minute."""

_IDEMPOTENT = {"GET", "PUT", "DELETE"}

_REMEDIES = {
    HTTPStatus.CONFLICT: "The name is taken: delete the other resource, or choose another name.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Reduce its size: a built function may have 48 MB.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Correct the value that the message names, or delete unused "
    "resources if the account's limit is reached.",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait a few minutes: the account's quota of calls is used up.",
}

OF_TOKEN = {
    HTTPStatus.UNAUTHORIZED: "Check DIGITALOCEAN_TOKEN: it is wrong, expired or revoked.",
    HTTPStatus.FORBIDDEN: "Create a token with the scopes of docs/integrated.md, function:admin "
    "included, then: export DIGITALOCEAN_TOKEN=…",
}
"""Remedies where the token was refused."""

OF_ACCESS_KEY = dict.fromkeys(
    (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN),
    "The host of the namespace refused an access key that this command had just created, so "
    "DIGITALOCEAN_TOKEN is not the cause. Run the command again; if it fails again, ask "
    "cloudsupport.digitalocean.com.",
)
"""Remedies where a key of a namespace was refused."""


class ApiError(Exception):
    """A call that failed.

    Attributes:
        status: HTTP status; 0 if there was no response.
        answer: The call and its response, without the remedy.
        unsure: True if the call may have had its effect nevertheless.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int,
        message: str,
        unsure: bool,
        remedies: Mapping[HTTPStatus, str] = OF_TOKEN,
    ) -> None:
        remedy = {**_REMEDIES, **remedies}.get(
            HTTPStatus(status) if status in set(HTTPStatus) else HTTPStatus.OK,
            "Try again later; status.digitalocean.com lists outages."
            if unsure
            else "Correct the value that the message names.",
        )
        answer = f"answered {status}: {message}" if status else f"got no response: {message}"
        self.answer = f"{what} {answer}"
        super().__init__(f"{self.answer}. {remedy}")
        self.status = status
        self.unsure = unsure


class Caller:
    """A client of one API with one account's credentials."""

    def __init__(
        self,
        base_url: str,
        auth: httpx.Auth,
        *,
        remedies: Mapping[HTTPStatus, str] = OF_TOKEN,
        again: Collection[HTTPStatus] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Args:
        remedies: What to do when the credentials are refused.
        again: Statuses after which a call is repeated, because they may pass soon.
        """
        self._client = httpx.Client(
            base_url=base_url,
            auth=auth,
            timeout=TIMEOUT,
            headers={"User-Agent": "seamless"},
            verify=_authorities(),
        )
        self._remedies = remedies
        self._again = {HTTPStatus.TOO_MANY_REQUESTS, *again}
        self._sleep = sleep

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """Make the call; return the response's JSON, or None for an empty response.

        A call that had no effect (status 429, one of `again`, or no connection) is repeated. So is
        an idempotent one that may have had an effect (status 5xx, or a lost response).

        Raises:
            ApiError: The response is an error or missing, after `TRIES` attempts at most.
        """
        what, attempt = f"{method} {path}", 0
        while True:
            attempt += 1
            try:
                answer = self._client.request(method, path, json=body, params=query)
            except httpx.TransportError as error:
                status, wait, message = 0, None, type(error).__name__
                unsure = not isinstance(error, httpx.ConnectError)
                retriable = True
            else:
                if answer.is_success:
                    return answer.json() if answer.content else None
                status, wait = answer.status_code, _retry_after(answer)
                message, unsure = _message(answer), answer.is_server_error
                retriable = unsure or status in self._again
            if not retriable or (unsure and method not in _IDEMPOTENT) or attempt == TRIES:
                raise ApiError(
                    what, status=status, message=message, unsure=unsure, remedies=self._remedies
                )
            self._sleep(min(2.0 ** (attempt - 1) if wait is None else wait, LONGEST_WAIT))

    def find(self, path: str, *, query: Mapping[str, str] | None = None) -> Any:
        """GET; None for status 404."""
        try:
            return self.call("GET", path, query=query)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def remove(self, path: str) -> None:
        """DELETE; status 404 is no error."""
        try:
            self.call("DELETE", path)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def close(self) -> None:
        """Close the connections."""
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
    """The trusted authorities; reading them takes longer than a call, so it is done once."""
    return httpx.create_ssl_context()


def _retry_after(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _message(answer: httpx.Response) -> str:
    """An error response's text: `message` in DigitalOcean's API, `error` in OpenWhisk's."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    if isinstance(body, dict):
        text = body.get("message") or body.get("error")
        if isinstance(text, str):
            return text.rstrip(".")
    return answer.reason_phrase
