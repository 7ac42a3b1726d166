"""The application on DigitalOcean Functions: three functions, a bucket, a schedule.

Rules: raw web events, a result with status, headers and body, 1 MB in and 1 MB out, asynchronous
calls by key, one call at a time in a process, no retries, 120 concurrent calls and 600 in a minute
for all functions of the namespace. Sources:
docs.digitalocean.com/products/functions/reference/parameters-responses (3 September 2024),
docs.digitalocean.com/products/functions/details/limits (17 January 2025); errors are
OpenWhisk's (apache/openwhisk, Messages.scala). The S3 API is moto's behind `bucket`, which checks
signatures.
"""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import httpx

from functions.handlers.asgi import Answer, Request
from tests.support.contract.model import Model
from tests.support.hosts.bucket import CheckedBucket, Key, checked_bucket
from tests.support.hosts.execution import Execution, ExecutionError
from tests.support.hosts.web import serving

NAMESPACE = "fn-6f1c1d2e-3f0b-5d53-9d0e-6a3f6c1b7a52"
WEB = f"/api/v1/web/{NAMESPACE}/summarizer/"
ACTIONS = f"/api/v1/namespaces/{NAMESPACE}/actions/summarizer/"

REGION = "us-east-1"

MAX_PAYLOAD_BYTES = 1_000_000
MAX_CONCURRENT = 120
MAX_PER_MINUTE = 600

SECONDS = {"api": 30.0, "summarize": 900.0, "sweep": 240.0}
"""Time limits, as `components.digitalocean.functions` sets them."""

_TEXT = ("text/", "application/json", "application/javascript")

Json = dict[str, Any]


class FunctionsHost:
    """See `tests.support.contract.application.Host`."""

    patience_seconds = 60.0

    def __init__(self, model: Model, environment: Mapping[str, str], bucket: CheckedBucket) -> None:
        self.model = model
        self.bucket = bucket
        self.environment = dict(environment)
        self.token = environment["API_TOKEN"]
        self.key = f"dof_v1_{secrets.token_hex(8)}:{secrets.token_hex(16)}"
        self.url = ""
        self.executions: dict[str, Execution] = {}
        self.rejects = 0
        """Number of asynchronous calls to reject, as above the quota."""
        self.in_flight = 0
        """Calls that have not ended; asynchronous ones may wait for a process."""
        self.most_in_flight = 0
        self.throttled = 0
        """Number of rejected calls, with 429."""
        self.per_minute = MAX_PER_MINUTE
        self._this_minute = 0
        self._counting = threading.Lock()
        self.started: list[Json] = []
        """Events of the asynchronous calls."""
        self.strangers: dict[str, Answer] = {}
        """Functions of other customers by path: a host serves a region, not one customer."""
        self._threads: list[threading.Thread] = []

    @property
    def page_url(self) -> str:
        return f"{self.url}{WEB}api/"

    def put(self, key: str, data: bytes) -> None:
        bucket = self.environment["STORE_URL"].removeprefix("s3://")
        url = f"{self.bucket.behind}/{bucket}/{key}"
        httpx.put(url, content=data).raise_for_status()

    def deliver(self, id_: str, *, times: int) -> None:
        """The event is an asynchronous call of `summarize`."""
        user, _, password = self.key.partition(":")
        for _ in range(times):
            httpx.post(
                f"{self.url}{ACTIONS}summarize?blocking=false",
                json={"document_id": id_},
                auth=(user, password),
            ).raise_for_status()

    def kill_worker(self) -> None:
        self.executions["summarize"].kill()

    def later(self) -> None:
        """Trigger the schedule; an `ExecutionError` is a failed activation."""
        with self._flight():
            self.executions["sweep"].call({})

    def next_minute(self) -> None:
        """The calls until now were in an earlier minute."""
        with self._counting:
            self._this_minute = 0

    def settle(self, *, seconds: float = 120.0) -> None:
        """Wait for the workers, but not for ever."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if self._threads:
            raise TimeoutError(f"{len(self._threads)} workers did not end in {seconds:g} seconds")

    def respond(self, request: Request) -> Answer:
        """Answer a request to the platform."""
        if len(request.body) > MAX_PAYLOAD_BYTES:
            return _error(413, "The request content was malformed: too large.")
        if request.path in self.strangers:
            return self.strangers[request.path]
        if request.path.startswith(WEB):
            with self._flight() as refusal:
                return refusal or self._web(request, request.path.removeprefix(WEB))
        if request.path.startswith(ACTIONS) and request.method == "POST":
            return self._invoke(request, request.path.removeprefix(ACTIONS))
        return _error(404, "The requested resource does not exist.")

    def _enter(self) -> Answer | None:
        """Count a call, unless it is above a limit."""
        with self._counting:
            error = ""
            if self._this_minute >= self.per_minute:
                count, allowed = self._this_minute + 1, self.per_minute
                error = (
                    f"Too many requests in the last minute (count: {count}, allowed: {allowed})."
                )
            elif self.in_flight >= MAX_CONCURRENT:
                count, allowed = self.in_flight + 1, MAX_CONCURRENT
                error = (
                    f"Too many concurrent requests in flight (count: {count}, allowed: {allowed})."
                )
            if error:
                self.throttled += 1
                return _error(429, error)
            self._this_minute += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            return None

    def _leave(self) -> None:
        with self._counting:
            self.in_flight -= 1

    @contextmanager
    def _flight(self) -> Iterator[Answer | None]:
        """A synchronous call, or the answer that refuses it."""
        refusal = self._enter()
        try:
            yield refusal
        finally:
            if refusal is None:
                self._leave()

    def _web(self, request: Request, path: str) -> Answer:
        name, slash, rest = path.partition("/")
        if name != "api":  # the only web function
            return _error(404, "The requested resource does not exist.")
        try:
            text, encoded = request.body.decode(), False
        except UnicodeDecodeError:
            text, encoded = base64.b64encode(request.body).decode(), True
        event = {
            "http": {
                "method": request.method,
                "path": slash + rest,
                "queryString": request.query,
                "headers": dict(request.headers),
                "body": text,
                "isBase64Encoded": encoded,
            }
        }
        try:
            result = self.executions[name].call(event)
        except ExecutionError as error:
            return _error(502, f"{error}")
        if len(json.dumps(result)) > MAX_PAYLOAD_BYTES:
            return _error(502, "The action produced a response that exceeded the allowed length.")
        body = result["body"]
        plain = result["headers"].get("content-type", "text/html").startswith(_TEXT)
        return Answer(
            status=result["statusCode"],
            headers=result["headers"],
            body=body.encode() if plain else base64.b64decode(body),
        )

    def _invoke(self, request: Request, name: str) -> Answer:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if (scheme, given) != ("Basic", base64.b64encode(self.key.encode()).decode()):
            return _error(401, "The supplied authentication is invalid.")
        if self.rejects:
            self.rejects -= 1
            return _error(429, "Too many requests in the last minute (count: 601, allowed: 600).")
        if parse_qs(request.query) != {"blocking": ["false"]}:
            return _error(400, "This host has asynchronous calls only.")
        if refusal := self._enter():
            return refusal
        event = json.loads(request.body)
        self.started.append(event)
        thread = threading.Thread(target=self._activate, args=[name, event])
        self._threads.append(thread)
        thread.start()
        return _json(202, {"activationId": uuid4().hex})

    def _activate(self, name: str, event: Json) -> None:
        try:
            with suppress(ExecutionError):  # no retry
                self.executions[name].call(event)
        finally:
            self._leave()


def _error(status: int, error: str) -> Answer:
    return _json(status, {"error": error, "code": uuid4().hex})


def _json(status: int, body: Json) -> Answer:
    headers = {"content-type": "application/json"}
    return Answer(status=status, headers=headers, body=json.dumps(body).encode())


@contextmanager
def functions_host(
    folder: Path, database: Mapping[str, str], model: Model, s3: str
) -> Iterator[FunctionsHost]:
    """The application with its own bucket."""
    bucket = f"bucket-{secrets.token_hex(4)}"
    httpx.put(f"{s3}/{bucket}").raise_for_status()
    key = Key(id="key-of-a-test", secret="secret-of-a-test")
    environment = {
        "VARIANT": "integrated",
        "INFERENCE_MODE": "serverless",
        "API_TOKEN": secrets.token_urlsafe(12),
        "STORE_URL": f"s3://{bucket}",
        "STORE_REGION": REGION,
        "STORE_ACCESS_KEY_ID": key.id,
        "STORE_SECRET_ACCESS_KEY": key.secret,
        **database,
        **model.environment,
    }
    with ExitStack() as stack:
        checked = stack.enter_context(checked_bucket(s3, key, region=REGION))
        environment["STORE_ENDPOINT"] = checked.url
        host = FunctionsHost(model, environment, checked)
        host.url = stack.enter_context(serving(host.respond))
        environment["SHARED_PAGE_URL"] = host.page_url
        stack.callback(host.settle)
        invoke = {"SUMMARIZE_URL": f"{host.url}{ACTIONS}summarize", "SUMMARIZE_KEY": host.key}
        for name, seconds in SECONDS.items():
            host.executions[name] = Execution(
                "functions.handlers.digitalocean:main",
                name=f"/{NAMESPACE}/summarizer/{name}",
                seconds=seconds,
                environment=environment | ({} if name == "summarize" else invoke),
                folder=folder / name,
            )
            stack.callback(host.executions[name].close)
        yield host
