"""Replica monitor: tests every replica of a model, and takes those out that answer wrongly.

A router hides its replicas, so this program calls each by its own address. A replica that gives
two wrong answers in a row leaves the Service at once, by its label, and is deleted, so that a new
one loads the weights again. Deletions are limited: if a driver corrupts every replica, restarts do
not help. A replica that is not deleted is still tested, and returns when it answers rightly. The
verdicts are at `/replicas`: the application summarizes again what a replica answered after its last
right answer.

Every round compares the actual state with the desired one, so the program may stop at any point.
It needs only Python's standard library and `functions/inference/canary_prompt.py`.
"""

import json
import os
import signal
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from hmac import compare_digest
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from functions.inference.canary_prompt import (
    GOOD_IN_A_ROW,
    WRONG_IN_A_ROW,
    Verdict,
    canary_prompt,
    is_right,
)

SERVES = "seamless.dev/serves"
"""Label of a replica: the Service and the router send requests only at `yes`."""

INTERVAL_SECONDS = 60.0
ANSWER_SECONDS = 60.0
MAX_ANSWER_BYTES = 16_000_000
DAY_SECONDS = 86_400.0

BETWEEN_DELETIONS_SECONDS = 1800.0
"""About the time that a new replica takes to load."""
DELETIONS_PER_DAY = 3
"""With more the cause is not a single GPU; an alert reports it."""

OUT_SECONDS = 900.0
"""Least time out of service: three intervals of the application's sweep, so that one sees it."""

STATE_KEY = "replicas.json"
"""Of the ConfigMap with the state."""

Object = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Replica:
    """State of one pod. Times are Unix seconds of this program's clock.

    Attributes:
        good_at: Of the last request that it answered rightly while in service; None for never.
        out_at: When it left the service; None while it is in.
        deleted_at: When it was deleted.
        wrong: Wrong answers in a row.
        good: Right answers in a row.
    """

    name: str
    node: str
    good_at: float | None = None
    out_at: float | None = None
    deleted_at: float | None = None
    wrong: int = 0
    good: int = 0

    @property
    def state(self) -> Literal["ok", "out"]:
        """`ok` while it receives requests."""
        return "ok" if self.out_at is None else "out"

    def after(self, verdict: Verdict, asked_at: float) -> "Replica":
        """The state after one more canary; an unreachable replica has not drifted."""
        if verdict == "unreachable":
            return self
        if verdict == "wrong":
            wrong = self.wrong + 1
            out_at = asked_at if wrong >= WRONG_IN_A_ROW and self.out_at is None else self.out_at
            return replace(self, wrong=wrong, good=0, out_at=out_at)
        good = self.good + 1
        back = self.out_at is None or (
            good >= GOOD_IN_A_ROW
            and asked_at - self.out_at >= OUT_SECONDS
            and self.deleted_at is None
        )
        return replace(
            self,
            wrong=0,
            good=good,
            out_at=None if back else self.out_at,
            good_at=asked_at if back else self.good_at,
        )


class Kubernetes:
    """A client of the API server, for the namespace of the pod's service account."""

    def __init__(self, host: str, port: int, account: Path) -> None:
        """Args: account: Folder with `token`, `ca.crt` and `namespace`."""
        self._address = host, port
        self._token = account / "token"
        self._namespace = f"/api/v1/namespaces/{(account / 'namespace').read_text().strip()}"
        self._context = ssl.create_default_context(cafile=str(account / "ca.crt"))

    def pods(self, selector: str) -> list[Object]:
        """Pods by a label selector."""
        query = urlencode({"labelSelector": selector})
        found: list[Object] = self._call("GET", f"pods?{query}")["items"]
        return found

    def label(self, pod: str, labels: Mapping[str, str]) -> None:
        """Set labels of a pod."""
        self._call("PATCH", f"pods/{pod}", {"metadata": {"labels": dict(labels)}})

    def delete(self, pod: str) -> None:
        """Delete a pod; it finishes its open requests."""
        self._call("DELETE", f"pods/{pod}")

    def read_state(self, config_map: str) -> str:
        """The text of `write_state`; empty at first."""
        data = self._call("GET", f"configmaps/{config_map}").get("data") or {}
        return str(data.get(STATE_KEY, ""))

    def write_state(self, config_map: str, text: str) -> None:
        """Store a text in a ConfigMap."""
        self._call("PATCH", f"configmaps/{config_map}", {"data": {STATE_KEY: text}})

    def _call(self, method: str, path: str, change: Object | None = None) -> Object:
        host, port = self._address
        answer: Object = _exchange(
            HTTPSConnection(host, port, timeout=20, context=self._context),
            method,
            f"{self._namespace}/{path}",
            body=change,
            key=self._token.read_text().strip(),  # renewed in its file every hour
        )
        return answer


@dataclass(frozen=True, kw_only=True)
class ModelClient:
    """A client of the replicas of one model, which listen at the same port with the same key."""

    port: int
    name: str
    key: str = field(repr=False)

    def ask(self, address: str) -> Verdict:
        """Send the canary to the replica at an IP address."""
        try:
            answer = _exchange(
                HTTPConnection(address, self.port, timeout=ANSWER_SECONDS),
                "POST",
                "/v1/chat/completions",
                body=canary_prompt(self.name),
                key=self.key,
            )
            choice = answer["choices"][0]
            text, reason = choice["message"]["content"] or "", choice["finish_reason"]
        except (OSError, HTTPException, ValueError, LookupError, TypeError):
            return "unreachable"
        return "good" if is_right(text, reason) else "wrong"


@dataclass(kw_only=True)
class ReplicaMonitor:
    """Tests all replicas of one model."""

    kubernetes: Kubernetes
    model: ModelClient
    selector: str
    config_map: str
    clock: Callable[[], float] = time.time
    replicas: dict[str, Replica] = field(default_factory=dict)
    ready: bool = False
    """True once the state was read and every replica was tested."""
    canaries: dict[Verdict, int] = field(
        default_factory=lambda: {"good": 0, "wrong": 0, "unreachable": 0}
    )

    def round(self) -> None:
        """Test every replica, then label and delete pods accordingly.

        Raises:
            OSError: a request to the API server failed; the next round tries again.
        """
        if not self.ready:
            state = json.loads(self.kubernetes.read_state(self.config_map) or "[]")
            self.replicas = {row["name"]: Replica(**row) for row in state}
        pods = {pod["metadata"]["name"]: pod for pod in self.kubernetes.pods(self.selector)}
        running = {name: pod for name, pod in pods.items() if _is_ready(pod)}
        with ThreadPoolExecutor(max_workers=16) as executor:
            tested = executor.map(self._tested, running.values())
        known = {
            name: row for name, row in self.replicas.items() if name in pods or self._in_doubt(row)
        }
        known |= {row.name: row for row in tested}
        self.replicas = self._with_deletion(known, running)
        # A decision is stored before it is carried out, so that a restart completes it.
        rows = [asdict(row) for row in self.replicas.values()]
        self.kubernetes.write_state(self.config_map, json.dumps(rows))
        self.ready = True
        for name, pod in running.items():
            row = self.replicas[name]
            serves = "yes" if row.state == "ok" else "no"
            if pod["metadata"]["labels"].get(SERVES) != serves:
                print(f"{name} on {row.node}: {row.state}", flush=True)
                self.kubernetes.label(name, {SERVES: serves})
            if row.deleted_at is not None:
                print(f"{name} on {row.node}: deleted", flush=True)
                self.kubernetes.delete(name)

    def _tested(self, pod: Object) -> Replica:
        name = pod["metadata"]["name"]
        row = self.replicas.get(name) or Replica(name=name, node=pod["spec"]["nodeName"])
        # After a wrong answer it is tested again at once: meanwhile it still serves.
        for _ in range(WRONG_IN_A_ROW):
            asked_at = self.clock()
            verdict = self.model.ask(pod["status"]["podIP"])
            self.canaries[verdict] += 1
            row = row.after(verdict, asked_at)
            if verdict != "wrong":
                break
        return row

    def _in_doubt(self, row: Replica) -> bool:
        """True for a deleted replica whose answers the application may not have withdrawn yet."""
        return row.out_at is not None and self.clock() - row.out_at < DAY_SECONDS

    def _with_deletion(
        self, known: Mapping[str, Replica], running: Mapping[str, Object]
    ) -> dict[str, Replica]:
        """The replicas, with at most one more marked as deleted."""
        now = self.clock()
        times = [row.deleted_at for row in known.values() if row.deleted_at is not None]
        recent = [at for at in times if now - at < DAY_SECONDS]
        waiting = [n for n in running if (r := known[n]).state == "out" and r.deleted_at is None]
        too_soon = now - max(recent, default=0.0) < BETWEEN_DELETIONS_SECONDS
        if not waiting or too_soon or len(recent) >= DELETIONS_PER_DAY:
            return dict(known)
        oldest = min(waiting, key=lambda name: known[name].out_at or now)
        return {**known, oldest: replace(known[oldest], deleted_at=now)}

    def verdicts(self) -> Object:
        """The body of `/replicas`; ages instead of times, because clocks differ."""
        now = self.clock()
        return {
            "replicas": [
                {
                    "name": row.name,
                    "state": row.state,
                    "good_seconds_ago": None if row.good_at is None else max(0, now - row.good_at),
                }
                for row in self.replicas.values()
            ]
        }

    def metrics(self) -> str:
        """The body of `/metrics`."""
        lines = ["# TYPE seamless_replica_canaries_total counter"]
        for verdict, count in self.canaries.items():
            lines.append(f'seamless_replica_canaries_total{{verdict="{verdict}"}} {count}')
        lines.append("# TYPE seamless_replica_out gauge")
        for row in list(self.replicas.values()):
            labels = f'replica="{row.name}",node="{row.node}"'
            lines.append(f"seamless_replica_out{{{labels}}} {int(row.state == 'out')}")
        return "\n".join(lines) + "\n"


def serve(monitor: ReplicaMonitor, port: int) -> ThreadingHTTPServer:
    """Serve `/replicas` with the model's key, and `/metrics` and `/healthz` without."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/replicas" and not self._has_key():
                self._answer(401, "text/plain", "Send the model's key: Authorization: Bearer KEY\n")
            elif self.path in ("/replicas", "/healthz") and not monitor.ready:
                self._answer(503, "text/plain", "the first round is not finished\n")
            elif self.path == "/replicas":
                self._answer(200, "application/json", json.dumps(monitor.verdicts()))
            elif self.path == "/metrics":
                self._answer(200, "text/plain; version=0.0.4", monitor.metrics())
            elif self.path == "/healthz":
                self._answer(200, "text/plain", "ok\n")
            else:
                self._answer(404, "text/plain", "not found\n")

        def _has_key(self) -> bool:
            given = self.headers.get("Authorization", "").encode()
            return compare_digest(given, f"Bearer {monitor.model.key}".encode())

        def _answer(self, status: int, kind: str, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Do not log requests."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Test the replicas until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    env = os.environ
    host, port = env["KUBERNETES_SERVICE_HOST"], int(env["KUBERNETES_SERVICE_PORT"])
    monitor = ReplicaMonitor(
        kubernetes=Kubernetes(host, port, Path(env["SERVICE_ACCOUNT"])),
        model=ModelClient(port=int(env["MODEL_PORT"]), name=env["MODEL"], key=env["MODEL_KEY"]),
        selector=env["REPLICA_SELECTOR"],
        config_map=env["STATE_CONFIG_MAP"],
    )
    serve(monitor, int(env["PORT"]))
    while True:
        started = time.monotonic()
        try:
            monitor.round()
        except (OSError, HTTPException, ValueError) as error:
            print(f"A round failed: {type(error).__name__}: {error}", flush=True)
        time.sleep(max(0.0, INTERVAL_SECONDS - (time.monotonic() - started)))


def _is_ready(pod: Object) -> bool:
    conditions: Iterable[Object] = pod["status"].get("conditions") or ()
    return "deletionTimestamp" not in pod["metadata"] and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions
    )


def _exchange(
    connection: HTTPConnection, method: str, path: str, *, body: Object | None, key: str
) -> Any:
    """Send JSON and return the JSON of the response.

    Raises:
        OSError: the response is not a success.
    """
    kind = "merge-patch+json" if method == "PATCH" else "json"
    headers = {"Authorization": f"Bearer {key}", "Content-Type": f"application/{kind}"}
    with closing(connection):
        content = None if body is None else json.dumps(body)
        connection.request(method, path, body=content, headers=headers)
        response = connection.getresponse()
        text = response.read(MAX_ANSWER_BYTES)
        if response.status >= 300:
            start = text[:200].decode(errors="replace")
            raise OSError(f"{method} {path}: {response.status} {start}")
        return json.loads(text)


if __name__ == "__main__":
    main()
