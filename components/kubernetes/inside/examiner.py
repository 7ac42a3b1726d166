"""Asks every replica of a model its canary, and takes out the ones that drift.

A router hides its replicas, so whoever asks through it meets a different one each time; this asks
each by its own address. One that answers wrongly twice leaves the Service at once, by its label,
and is deleted, so that a new one loads the weights anew; what may be deleted is limited, since a
driver that corrupts every replica is mended by nobody's restart. One that stays is asked on, and
comes back when it answers rightly. The verdicts are had at `/replicas`: the application asks again
for what a replica answered after its last right canary.

It reconciles: every round compares what is with what should be, so that it may die at any point.
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

from functions.question import GOOD_IN_A_ROW, WRONG_IN_A_ROW, Verdict, canary_prompt, is_right

SERVES = "seamless.dev/serves"
"""Label of a replica: `yes` lets the Service and the router send it requests, `no` does not."""

INTERVAL_SECONDS = 60.0
ANSWER_SECONDS = 60.0
MAX_ANSWER_BYTES = 16_000_000
DAY_SECONDS = 86_400.0

BETWEEN_DELETIONS_SECONDS = 1800.0
"""About the time that a replacement takes to load."""
DELETIONS_PER_DAY = 3
"""More is no accident of one GPU: from then on an alert calls a person."""

OUT_SECONDS = 900.0
"""At least: three times what lies between the application's sweeps, lest none of them sees it."""

KEY = "replicas.json"
"""Of the ConfigMap that keeps the verdicts."""

Object = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Replica:
    """One pod as its canaries show it. Times are Unix seconds of this program's clock.

    Attributes:
        good_at: When it was last asked and answered rightly while in; None for never.
        out_at: When it was taken out; None while it is in.
        deleted_at: When it was told to go.
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
        """Whether it may be asked."""
        return "ok" if self.out_at is None else "out"

    def judged(self, verdict: Verdict, asked_at: float) -> "Replica":
        """The replica after one more canary; one that cannot be reached has not drifted."""
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
    """The API server, asked as the pod's own service account."""

    def __init__(self, host: str, port: int, account: Path) -> None:
        """Args: account: Folder with `token`, `ca.crt` and `namespace`."""
        self._place = host, port
        self._token = account / "token"
        self._space = f"/api/v1/namespaces/{(account / 'namespace').read_text().strip()}"
        self._context = ssl.create_default_context(cafile=str(account / "ca.crt"))

    def pods(self, selector: str) -> list[Object]:
        """The pods with these labels."""
        query = urlencode({"labelSelector": selector})
        found: list[Object] = self._call("GET", f"pods?{query}")["items"]
        return found

    def label(self, pod: str, labels: Mapping[str, str]) -> None:
        """Change labels of a pod."""
        self._call("PATCH", f"pods/{pod}", {"metadata": {"labels": dict(labels)}})

    def delete(self, pod: str) -> None:
        """Let a pod go when it has answered what it began."""
        self._call("DELETE", f"pods/{pod}")

    def kept(self, config_map: str) -> str:
        """What `keep` kept; empty at first."""
        return str((self._call("GET", f"configmaps/{config_map}").get("data") or {}).get(KEY, ""))

    def keep(self, config_map: str, text: str) -> None:
        """Keep a text beyond the life of this program."""
        self._call("PATCH", f"configmaps/{config_map}", {"data": {KEY: text}})

    def _call(self, method: str, path: str, change: Object | None = None) -> Object:
        host, port = self._place
        answer: Object = _exchange(
            HTTPSConnection(host, port, timeout=20, context=self._context),
            method,
            f"{self._space}/{path}",
            body=change,
            key=self._token.read_text().strip(),  # renewed in its file every hour
            content_type="application/merge-patch+json",
        )
        return answer


@dataclass(frozen=True, kw_only=True)
class Model:
    """How replicas are asked: on a port of each, for a model, with a key."""

    port: int
    name: str
    key: str = field(repr=False)

    def ask(self, address: str) -> Verdict:
        """Ask the replica at an IP address its canary."""
        try:
            answer = _exchange(
                HTTPConnection(address, self.port, timeout=ANSWER_SECONDS),
                "POST",
                "/v1/chat/completions",
                body=canary_prompt(self.name),
                key=self.key,
                content_type="application/json",
            )
            choice = answer["choices"][0]
            text, reason = choice["message"]["content"] or "", choice["finish_reason"]
        except (OSError, HTTPException, ValueError, LookupError, TypeError):
            return "unreachable"
        return "good" if is_right(text, reason) else "wrong"


@dataclass(kw_only=True)
class Examiner:
    """All replicas of one model."""

    kubernetes: Kubernetes
    model: Model
    selector: str
    config_map: str
    clock: Callable[[], float] = time.time
    replicas: dict[str, Replica] = field(default_factory=dict)
    informed: bool = False
    """True once what was kept is known and every replica was asked."""
    canaries: dict[Verdict, int] = field(
        default_factory=lambda: {"good": 0, "wrong": 0, "unreachable": 0}
    )

    def round(self) -> None:
        """Ask every replica, then do what follows.

        Raises:
            OSError: The API server did not do as asked; the next round begins anew.
        """
        if not self.informed:
            kept = json.loads(self.kubernetes.kept(self.config_map) or "[]")
            self.replicas = {row["name"]: Replica(**row) for row in kept}
        pods = {pod["metadata"]["name"]: pod for pod in self.kubernetes.pods(self.selector)}
        there = {name: pod for name, pod in pods.items() if _is_ready(pod)}
        with ThreadPoolExecutor(max_workers=16) as several:
            judged = several.map(self._examined, there.values())
        known = {
            name: row for name, row in self.replicas.items() if name in pods or self._late(row)
        }
        known |= {row.name: row for row in judged}
        self.replicas = self._deleting(known, there)
        # What is decided is kept before it is done: it must not be forgotten half done.
        rows = [asdict(row) for row in self.replicas.values()]
        self.kubernetes.keep(self.config_map, json.dumps(rows))
        self.informed = True
        for name, pod in there.items():
            row = self.replicas[name]
            serves = "yes" if row.state == "ok" else "no"
            if pod["metadata"]["labels"].get(SERVES) != serves:
                print(f"{name} on {row.node}: {row.state}", flush=True)
                self.kubernetes.label(name, {SERVES: serves})
            if row.deleted_at is not None:
                print(f"{name} on {row.node}: deleted", flush=True)
                self.kubernetes.delete(name)

    def _examined(self, pod: Object) -> Replica:
        name = pod["metadata"]["name"]
        row = self.replicas.get(name) or Replica(name=name, node=pod["spec"]["nodeName"])
        # A first wrong answer is asked again at once: meanwhile people get such answers.
        for _ in range(WRONG_IN_A_ROW):
            asked_at = self.clock()
            verdict = self.model.ask(pod["status"]["podIP"])
            self.canaries[verdict] += 1
            row = row.judged(verdict, asked_at)
            if verdict != "wrong":
                break
        return row

    def _late(self, row: Replica) -> bool:
        """True for a replica that is gone, and whose answers may not be withdrawn yet."""
        return row.out_at is not None and self.clock() - row.out_at < DAY_SECONDS

    def _deleting(
        self, known: Mapping[str, Replica], there: Mapping[str, Object]
    ) -> dict[str, Replica]:
        """The replicas, of which one more may have been told to go."""
        now = self.clock()
        times = [row.deleted_at for row in known.values() if row.deleted_at is not None]
        recent = [at for at in times if now - at < DAY_SECONDS]
        waiting = [n for n in there if (r := known[n]).state == "out" and r.deleted_at is None]
        rest = now - max(recent, default=0.0) < BETWEEN_DELETIONS_SECONDS
        if not waiting or rest or len(recent) >= DELETIONS_PER_DAY:
            return dict(known)
        oldest = min(waiting, key=lambda name: known[name].out_at or now)
        return {**known, oldest: replace(known[oldest], deleted_at=now)}

    def verdicts(self) -> Object:
        """What the application is told; ages, since clocks differ."""
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
        """What Prometheus is told."""
        rows = list(self.replicas.values())
        lines = ["# TYPE seamless_replica_canaries_total counter"]
        lines += [
            f'seamless_replica_canaries_total{{verdict="{verdict}"}} {count}'
            for verdict, count in self.canaries.items()
        ]
        lines += ["# TYPE seamless_replica_out gauge"]
        lines += [
            f'seamless_replica_out{{replica="{row.name}",node="{row.node}"}}'
            f" {int(row.state == 'out')}"
            for row in rows
        ]
        return "\n".join(lines) + "\n"


def serve(examiner: Examiner, port: int) -> ThreadingHTTPServer:
    """Answer `/replicas` to who has the model's key, `/metrics` and `/healthz` to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/replicas" and not self._has_key():
                self._answer(401, "text/plain", "a key is needed\n")
            elif self.path in ("/replicas", "/healthz") and not examiner.informed:
                self._answer(503, "text/plain", "the replicas were not asked yet\n")
            elif self.path == "/replicas":
                self._answer(200, "application/json", json.dumps(examiner.verdicts()))
            elif self.path == "/metrics":
                self._answer(200, "text/plain; version=0.0.4", examiner.metrics())
            elif self.path == "/healthz":
                self._answer(200, "text/plain", "ok\n")
            else:
                self._answer(404, "text/plain", "not found\n")

        def _has_key(self) -> bool:
            given = self.headers.get("Authorization", "").encode()
            return compare_digest(given, f"Bearer {examiner.model.key}".encode())

        def _answer(self, status: int, kind: str, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing of who asks."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> None:
    """Examine until told to stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    told = os.environ
    host, port = told["KUBERNETES_SERVICE_HOST"], int(told["KUBERNETES_SERVICE_PORT"])
    examiner = Examiner(
        kubernetes=Kubernetes(host, port, Path(told["ACCOUNT"])),
        model=Model(port=int(told["MODEL_PORT"]), name=told["MODEL"], key=told["MODEL_KEY"]),
        selector=told["SELECTOR"],
        config_map=told["CONFIG_MAP"],
    )
    serve(examiner, int(told["PORT"]))
    while True:
        began = time.monotonic()
        try:
            examiner.round()
        except (OSError, HTTPException, ValueError) as error:
            print(f"A round failed: {type(error).__name__}: {error}", flush=True)
        time.sleep(max(0.0, INTERVAL_SECONDS - (time.monotonic() - began)))


def _is_ready(pod: Object) -> bool:
    conditions: Iterable[Object] = pod["status"].get("conditions") or ()
    return "deletionTimestamp" not in pod["metadata"] and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions
    )


def _exchange(
    connection: HTTPConnection,
    method: str,
    path: str,
    *,
    body: Object | None,
    key: str,
    content_type: str,
) -> Any:
    """What a server answers to JSON, as data; anything but success is an OSError."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": content_type}
    with closing(connection):
        content = None if body is None else json.dumps(body)
        connection.request(method, path, body=content, headers=headers)
        answer = connection.getresponse()
        said = answer.read(MAX_ANSWER_BYTES)
        if answer.status >= 300:
            raise OSError(f"{method} {path}: {answer.status} {said[:200].decode(errors='replace')}")
        return json.loads(said)


if __name__ == "__main__":
    main()
