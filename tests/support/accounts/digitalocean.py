"""A local server with the documented API of DigitalOcean Functions.

Paths, required fields, statuses and the form of errors are those of digitalocean/openapi at 7c1300c
(2026-08-07), `specification/resources/functions`. Packages and actions are OpenWhisk's REST API at
the namespace's host, with errors as in digitalocean-labs/mcp-digitalocean at 3b6044c (2026),
pkg/registry/functions/openwhisk_client.go. Scopes and keys are in `digitalocean_keys`. Limits are
those of docs.digitalocean.com/products/functions/details/limits (17 January 2025). Tests make calls
fail, before or after their effect.
"""

import base64
import json
import re
import secrets
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.accounts import digitalocean_keys as access_keys

Json = dict[str, Any]

REGIONS = ("ams3", "blr1", "fra1", "lon1", "nyc1", "sfo3", "sgp1", "syd1", "tor1")
MAX_NAMESPACES, MAX_TRIGGERS = 10, 3
MAX_CODE_BYTES = 48 * 1024 * 1024

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nof a test\n-----END CERTIFICATE-----\n"


class Refusal(Exception):  # noqa: N818  # a response of the API, no defect
    """A response that is no success."""

    def __init__(self, status: int, id_: str, message: str) -> None:
        self.status = status
        self.body = {"id": id_, "message": message, "request_id": f"{uuid.uuid4()}"}


@dataclass(kw_only=True)
class Fault:
    """A failure of the next calls.

    Attributes:
        pattern: Of `METHOD /path`.
        status: Of the response; 0 closes the connection without one.
        after: True fails after the effect of the call.
        times: How often.
    """

    pattern: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    after: bool = False
    times: int = 1


@dataclass(kw_only=True)
class Namespace:
    """A namespace and its contents."""

    info: Json
    packages: dict[str, Json] = field(default_factory=dict)
    actions: dict[str, Json] = field(default_factory=dict)
    triggers: dict[str, Json] = field(default_factory=dict)
    keys: dict[str, Json] = field(default_factory=dict)


class Cloud:
    """An account.

    Attributes:
        scopes: Scopes of the token.
        triggers_open: False as in an account without access to the preview of scheduled triggers:
            digitalocean/doctl at 168188d, do/serverless.go, CleanNamespace. Its status is not
            documented.
        clusters: Ids of the database clusters.
        issued: Secrets of all access keys so far.
    """

    def __init__(self) -> None:
        self.token = f"dop_v1_{secrets.token_hex(16)}"
        self.scopes = set(access_keys.SCOPES | access_keys.READ_ONLY)
        self.triggers_open = True
        self.clusters: set[str] = set()
        self.issued: list[str] = []
        self.url = ""
        self.namespaces: dict[str, Namespace] = {}
        self.lists: dict[str, Json] = {
            "account": {"account": {"status": "active", "status_message": ""}},
            "databases": {"databases": []},
            "spaces/keys": {"keys": []},
            "projects": {"projects": []},
            "uptime/checks": {"checks": []},
            "monitoring/alerts": {"policies": []},
        }
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self._lock = threading.RLock()

    def fail(self, pattern: str, status: int, **more: Any) -> None:
        """Make the next call that matches fail."""
        self.faults.append(Fault(pattern=pattern, status=status, **more))

    def fault(self, call: str) -> Fault | None:
        """The fault of this call, which is used up."""
        for fault in self.faults:
            if fault.times and re.fullmatch(fault.pattern, call):
                fault.times -= 1
                return fault
        return None

    def answer(self, method: str, target: str, authorization: str, body: Json) -> tuple[int, Json]:
        """The response of the API; `Refusal` if it is no success."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        with self._lock:
            if parts[0] == "v2":
                self.authorize(method, parts[1:], authorization)
                if "/".join(parts[1:]) in self.lists:
                    return 200, self._page("/".join(parts[1:]), query)
                return self._public(method, parts[1:], body)
            if parts[:4] == ["api", "v1", "namespaces", "_"]:
                return self._openwhisk(
                    self._of_key(authorization), method, parts[4], parts[5:], query, body
                )
        raise Refusal(404, "not_found", "The resource you were accessing could not be found.")

    def authorize(self, method: str, parts: list[str], authorization: str) -> None:
        """Refuse a wrong token, and one without the scopes of a call."""
        if authorization != f"Bearer {self.token}":
            raise Refusal(401, "unauthorized", "Unable to authenticate you")
        if lacking := access_keys.needed(method, parts) - self.scopes:
            raise Refusal(403, "forbidden", f"You are missing the scope {min(lacking)}")

    def _page(self, path: str, query: dict[str, str]) -> Json:
        """A page of a list, with the URL of the next one; 20 rows unless more are requested."""
        ((key, rows),) = self.lists[path].items()
        if not isinstance(rows, list):
            return self.lists[path]
        size, page = min(int(query.get("per_page", 20)), 200), int(query.get("page", 1))
        following = f"https://api.digitalocean.com/v2/{path}?page={page + 1}&per_page={size}"
        links = {"pages": {"next": following}} if len(rows) > page * size else {}
        return {key: rows[(page - 1) * size : page * size], "links": links}

    def has_cluster(self, id_: str) -> bool:
        """Whether the account has a database cluster with this id."""
        return id_ in self.clusters

    def _public(self, method: str, parts: list[str], body: Json) -> tuple[int, Json]:
        if parts[0] == "databases" and parts[2:] == ["ca"] and method == "GET":
            if not self.has_cluster(parts[1]):
                raise Refusal(404, "not_found", "cluster not found")
            encoded = base64.b64encode(CERTIFICATE.encode()).decode()
            return 200, {"ca": {"certificate": encoded}}
        match method, parts[2:]:
            case "GET", []:
                return 200, {"namespaces": [n.info for n in self.namespaces.values()]}
            case "POST", []:
                return 200, {"namespace": self._create(body)}
            case _, [id_, *rest] if id_ in self.namespaces:
                return self._inside(self.namespaces[id_], method, rest, body)
            case _:
                raise Refusal(404, "not_found", "namespace not found")

    def _create(self, body: Json) -> Json:
        for name in ("region", "label"):
            if not body.get(name):
                # The specification gives a bad request this status.
                raise Refusal(404, "bad_request", f"Invalid request payload: missing {name} field")
        if body["region"] not in REGIONS:
            raise Refusal(404, "bad_request", f"Invalid request payload: region {body['region']}")
        if len(self.namespaces) == MAX_NAMESPACES:
            raise Refusal(422, "unprocessable_entity", "namespace limit reached")
        own = (n.info for id_, n in self.namespaces.items() if not id_.startswith("ap-"))
        if any(info.get("label") == body["label"] for info in own):
            raise Refusal(409, "conflict", "label is not unique")
        id_ = f"fn-{uuid.uuid4()}"
        info = {
            "namespace": id_,
            "api_host": self.url,
            "label": body["label"],
            "region": body["region"],
            "uuid": f"{uuid.uuid4()}",
            "key": secrets.token_hex(32),
        }
        self.namespaces[id_] = Namespace(info=info)
        return info

    def _inside(
        self, namespace: Namespace, method: str, rest: list[str], body: Json
    ) -> tuple[int, Json]:
        id_ = namespace.info["namespace"]
        if rest[:1] == ["triggers"] and not self.triggers_open:
            raise Refusal(403, "forbidden", "not allowed to use triggers")
        match method, rest:
            case "GET", []:
                return 200, {"namespace": namespace.info}
            case "DELETE", []:
                del self.namespaces[id_]
                return 204, {}
            case "POST", ["triggers"]:
                return 200, {"trigger": self._create_trigger(namespace, body)}
            case "GET", ["triggers"]:
                return 200, {"triggers": [*namespace.triggers.values()]}
            case _, ["triggers", name]:
                if name not in namespace.triggers:
                    raise Refusal(404, "not_found", "trigger not found")
                if method == "DELETE":
                    del namespace.triggers[name]
                    return 204, {}
                if method == "PUT":
                    namespace.triggers[name].update(body)
                return 200, {"trigger": namespace.triggers[name]}
            case "POST", ["keys"]:
                return 201, {"access_key": self._create_key(namespace, body)}
            case "GET", ["keys"]:
                shown = [access_keys.shown(key) for key in namespace.keys.values()]
                return 200, {"access_keys": shown, "count": len(shown)}
            case _, ["keys", key]:
                if key not in namespace.keys:
                    raise Refusal(404, "not_found", "access key not found")
                if method == "DELETE":
                    del namespace.keys[key]
                    return 200, {}
                if method == "PUT":
                    namespace.keys[key]["name"] = body["name"]
                    return 200, {"access_key": access_keys.shown(namespace.keys[key])}
        raise Refusal(404, "not_found", "not found")

    def _create_trigger(self, namespace: Namespace, body: Json) -> Json:
        problem = ", ".join(
            f"missing {name}"
            for name in ("name", "function", "type", "is_enabled", "scheduled_details")
            if name not in body
        )
        if problem or "cron" not in body["scheduled_details"] or body["type"] != "SCHEDULED":
            raise Refusal(400, "bad_request", f"validating create trigger: {problem}")
        if body["name"] in namespace.triggers:
            raise Refusal(400, "bad_request", "validating create trigger: name is taken")
        if body["function"] not in namespace.actions:
            raise Refusal(400, "bad_request", "validating create trigger: no such function")
        if len(namespace.triggers) == MAX_TRIGGERS:
            raise Refusal(422, "unprocessable_entity", "triggers limit reached")
        namespace.triggers[body["name"]] = {"namespace": namespace.info["namespace"], **body}
        return namespace.triggers[body["name"]]

    def _create_key(self, namespace: Namespace, body: Json) -> Json:
        if refused := access_keys.problem(body, {key["name"] for key in namespace.keys.values()}):
            status, message = refused
            raise Refusal(status, "conflict" if status == 409 else "bad_request", message)
        key = access_keys.made(body)
        namespace.keys[str(key["id"])] = key
        self.issued.append(key["secret"])
        return key

    def _of_key(self, authorization: str) -> Namespace:
        """The namespace of a live access key."""
        scheme, _, encoded = authorization.partition(" ")
        given = base64.b64decode(encoded).decode() if scheme == "Basic" else ""
        for namespace in self.namespaces.values():
            for key in namespace.keys.values():
                if given == f"{key['id']}:{key['secret']}" and access_keys.is_live(key):
                    return namespace
        raise Refusal(401, "unauthorized", "The supplied authentication is invalid")

    def _openwhisk(
        self,
        namespace: Namespace,
        method: str,
        kind: str,
        rest: list[str],
        query: dict[str, str],
        body: Json,
    ) -> tuple[int, Json]:
        name = "/".join(rest)
        things = namespace.packages if kind == "packages" else namespace.actions
        if method == "PUT":
            if name in things and query.get("overwrite") != "true":
                raise Refusal(409, "conflict", "resource already exists")
            things[name] = body if kind == "packages" else _action(namespace, name, body)
            return 200, things[name]
        if name not in things:
            raise Refusal(404, "not_found", "The requested resource does not exist.")
        if method == "DELETE":
            return 200, things.pop(name)
        if method == "POST":
            return 202, {"activationId": secrets.token_hex(16)}
        shown = dict(things[name])
        if kind == "actions" and query.get("code") == "false":
            shown["exec"] = {k: v for k, v in shown["exec"].items() if k != "code"}
        return 200, shown


def _action(namespace: Namespace, name: str, body: Json) -> Json:
    """Check an action, and add the platform's values."""
    package, slash, _ = name.partition("/")
    if slash and package not in namespace.packages:
        raise Refusal(404, "not_found", "The requested resource does not exist.")
    if not {"kind", "code"} <= body.get("exec", {}).keys():
        raise Refusal(400, "bad_request", "The request content was malformed: exec")
    if len(base64.b64decode(body["exec"]["code"], validate=True)) > MAX_CODE_BYTES:
        raise Refusal(413, "too_large", "exec was too large")
    limits = body["limits"]
    ranges = {"timeout": (100, 900_000), "memory": (128, 1024), "logs": (0, 256)}
    for limit, (low, high) in ranges.items():
        if not low <= limits[limit] <= high:
            raise Refusal(400, "bad_request", f"limits.{limit} is outside {low} to {high}")
    return {**body, "name": name, "version": "0.0.1"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud: Cloud

    def _serve(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}")
        call = f"{self.command} {urlsplit(self.path).path}"
        self.cloud.calls.append(call)
        fault = self.cloud.fault(call)
        if fault is not None and not fault.after:
            self._fail(fault)
            return
        try:
            status, answer = self.cloud.answer(
                self.command, self.path, self.headers.get("authorization", ""), body
            )
        except Refusal as refusal:
            status, answer = refusal.status, refusal.body
            if self.path.startswith("/api/"):  # OpenWhisk's form
                answer = {"error": answer["message"], "code": answer["request_id"]}
        if fault is not None:
            self._fail(fault)
        else:
            self._send(status, answer, {})

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815  # the base class's names

    def _fail(self, fault: Fault) -> None:
        if fault.status:
            body = {"id": "failed", "message": "as the test requires"}
            self._send(fault.status, body, fault.headers)
        else:
            self.close_connection = True

    def _send(self, status: int, answer: Json, headers: dict[str, str]) -> None:
        data = b"" if status == 204 else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": f"{len(data)}"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Do not log."""


@contextmanager
def running(cloud: Cloud | None = None) -> Iterator[Cloud]:
    """An account on a local server; an empty one by default."""
    cloud = cloud or Cloud()
    handler: Callable[..., BaseHTTPRequestHandler] = type("Handler", (_Handler,), {"cloud": cloud})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    cloud.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
