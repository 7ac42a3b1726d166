"""The replica monitor takes a wrong replica out of the Service, deletes it or returns it.

`tests/cluster/test_replica_monitor.py` runs the same program against a real API server.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from components.kubernetes.programs.replica_monitor import (
    BETWEEN_DELETIONS_SECONDS,
    DAY_SECONDS,
    INTERVAL_SECONDS,
    OUT_SECONDS,
    SERVES,
    ModelClient,
    ReplicaMonitor,
    serve,
)
from functions.inference.canary_prompt import CODE, Verdict, canary_prompt
from functions.inference.endpoint import Endpoint
from functions.inference.replica_status import fetch_replica_statuses

KEY = "key-of-the-model"


@dataclass(kw_only=True)
class Cluster:
    """Pods and the stored state of an API server; calls of the name `broken` fail."""

    labels: dict[str, str]
    starting: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    state: str = ""
    deleted: list[str] = field(default_factory=list)
    broken: str = ""

    def pods(self, selector: str) -> list[dict[str, Any]]:
        assert selector == "role=leader"
        return [
            {
                "metadata": {
                    "name": name,
                    "labels": {SERVES: serves},
                    **({"deletionTimestamp": "now"} if name in self.leaving else {}),
                },
                "spec": {"nodeName": f"node-of-{name}"},
                "status": {
                    "podIP": name,
                    "conditions": [{"type": "Ready", "status": str(name not in self.starting)}],
                },
            }
            for name, serves in self.labels.items()
        ]

    def label(self, pod: str, labels: dict[str, str]) -> None:
        self._do("label")
        self.labels[pod] = labels[SERVES]

    def delete(self, pod: str) -> None:
        self._do("delete")
        self.deleted.append(pod)
        del self.labels[pod]

    def read_state(self, config_map: str) -> str:
        assert config_map == "state"
        return self.state

    def write_state(self, config_map: str, text: str) -> None:
        assert config_map == "state"
        self._do("write_state")
        self.state = text

    def _do(self, what: str) -> None:
        if what == self.broken:
            raise OSError(f"{what}: 503")


@dataclass
class Answers:
    """The next answers of each replica; it repeats the last one."""

    by_replica: dict[str, list[Verdict]]

    def ask(self, address: str) -> Verdict:
        answers = self.by_replica[address]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class World:
    """A cluster, the answers of its replicas, and a clock of the test."""

    def __init__(self, **answers: list[Verdict]) -> None:
        self.now = 1_000_000.0
        self.cluster = Cluster(labels=dict.fromkeys(answers, "yes"))
        self.answers = Answers(answers)
        self.monitor = self.started()

    def started(self) -> ReplicaMonitor:
        """The program after a restart."""
        return ReplicaMonitor(
            kubernetes=self.cluster,  # type: ignore[arg-type]
            model=self.answers,  # type: ignore[arg-type]
            selector="role=leader",
            config_map="state",
            clock=lambda: self.now,
        )

    def round(self, *, after: float = INTERVAL_SECONDS) -> None:
        self.now += after
        self.monitor.round()

    def statuses(self) -> dict[str, tuple[str, float | None]]:
        return {
            row["name"]: (row["state"], row["good_seconds_ago"])
            for row in self.monitor.verdicts()["replicas"]
        }


@pytest.mark.parametrize(
    ("answers", "rounds", "status", "serves"),
    [
        (["good"], 2, ("ok", 0), True),
        (["good", "wrong", "good"], 2, ("ok", 0), True),  # each wrong answer is repeated once
        (["good", "wrong"], 2, ("out", INTERVAL_SECONDS), False),
        (["wrong"], 1, ("out", None), False),
        (["good", "unreachable"], 11, ("ok", 10 * INTERVAL_SECONDS), True),
    ],
    ids=["good", "one wrong", "two wrong", "always wrong", "unreachable"],
)
def test_two_wrong_answers_take_a_replica_out_of_service_and_delete_it(
    answers: list[Verdict], rounds: int, status: tuple[str, float | None], serves: bool
) -> None:
    world = World(a=["good"], b=answers)
    for _ in range(rounds):
        world.round()
    assert world.statuses() == {"a": ("ok", 0), "b": status}
    assert world.cluster.labels == ({"a": "yes", "b": "yes"} if serves else {"a": "yes"})
    assert world.cluster.deleted == ([] if serves else ["b"])


def test_deletions_are_limited_and_every_wrong_replica_leaves_the_service() -> None:
    world = World(a=["wrong"], b=["wrong"], c=["wrong"], d=["wrong"])
    world.round()
    assert world.cluster.deleted == ["a"]
    assert world.cluster.labels == {"b": "no", "c": "no", "d": "no"}

    world.round(after=BETWEEN_DELETIONS_SECONDS - 1)
    assert world.cluster.deleted == ["a"]
    world.round(after=1)
    assert world.cluster.deleted == ["a", "b"]
    world.round(after=BETWEEN_DELETIONS_SECONDS)
    assert world.cluster.deleted == ["a", "b", "c"]
    for _ in range(10):
        world.round(after=BETWEEN_DELETIONS_SECONDS)
    assert world.cluster.deleted == ["a", "b", "c"]
    assert world.cluster.labels == {"d": "no"}

    world.round(after=DAY_SECONDS)
    assert world.cluster.deleted == ["a", "b", "c", "d"]


def test_a_replica_returns_after_three_right_answers_and_the_minimum_time() -> None:
    world = World(a=["wrong"], b=["good", "wrong", "wrong", "good"])
    world.round()
    world.round()
    assert world.statuses()["b"] == ("out", INTERVAL_SECONDS)
    assert world.cluster.labels == {"b": "no"}
    world.round(after=OUT_SECONDS)
    world.round()
    # Until it is in service, the age of its last right answer in service grows.
    assert world.statuses()["b"] == ("out", OUT_SECONDS + 2 * INTERVAL_SECONDS)
    world.round()
    assert world.statuses()["b"] == ("ok", 0)
    assert world.cluster.labels == {"b": "yes"}


def test_a_replica_that_recovers_at_once_stays_out_for_the_minimum_time() -> None:
    world = World(a=["wrong"], b=["wrong", "wrong", "good"])
    world.round()
    for _ in range(int(OUT_SECONDS / INTERVAL_SECONDS) - 1):
        world.round()
    assert world.statuses()["b"] == ("out", None)
    world.round()
    assert world.statuses()["b"] == ("ok", 0)


def test_a_deleted_replica_is_listed_for_a_day() -> None:
    world = World(a=["wrong"], b=["good"])
    world.round()
    del world.cluster.labels["b"]
    world.round()
    assert world.statuses() == {"a": ("out", None)}
    world.round(after=DAY_SECONDS)
    assert world.statuses() == {}


@pytest.mark.parametrize("broken", ["write_state", "label", "delete"])
def test_a_restart_completes_an_interrupted_round(broken: str) -> None:
    world = World(a=["good", "wrong"], b=["good"])
    world.round()
    world.cluster.broken = broken
    with pytest.raises(OSError, match=broken):
        world.round()

    world.cluster.broken = ""
    world.monitor = world.started()
    world.round()

    assert world.cluster.deleted == ["a"]
    assert world.cluster.labels == {"b": "yes"}
    assert world.statuses() == {"a": ("out", 2 * INTERVAL_SECONDS), "b": ("ok", 0)}


def test_a_pod_that_is_starting_or_terminating_gets_no_canary() -> None:
    world = World(a=["good"], b=["wrong"], c=["wrong"])
    world.cluster.starting, world.cluster.leaving = {"b"}, {"c"}
    world.round()
    assert world.statuses() == {"a": ("ok", 0)}
    assert world.cluster.deleted == []


@contextmanager
def replying(status: int, body: object) -> Iterator[tuple[ModelClient, list[tuple[str, str, Any]]]]:
    """A replica with a fixed answer, and the requests that it got."""
    requests: list[tuple[str, str, Any]] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append((self.path, self.headers["Authorization"], sent))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Do not log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield ModelClient(port=server.server_port, name="llama", key=KEY), requests
        finally:
            server.shutdown()


def completion(text: str | None, reason: str = "stop") -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": reason}]}


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, completion(CODE), "good"),
        (200, completion(f"`{CODE.upper()}`"), "good"),
        (200, completion("!!!!!!!!!!!!"), "wrong"),
        (200, completion(None), "wrong"),
        (200, completion(CODE, "length"), "wrong"),
        (200, {"choices": []}, "unreachable"),
        (200, b"<html>", "unreachable"),
        (503, {"error": "loading"}, "unreachable"),
        (401, {"error": "key"}, "unreachable"),
    ],
)
def test_the_verdict_depends_on_the_code_in_the_response(
    status: int, body: object, verdict: Verdict
) -> None:
    with replying(status, body) as (model, requests):
        assert model.ask("127.0.0.1") == verdict
    assert requests == [("/v1/chat/completions", f"Bearer {KEY}", canary_prompt("llama"))]


def test_a_closed_port_is_unreachable() -> None:
    with replying(200, {}) as (model, _):
        pass
    assert model.ask("127.0.0.1") == "unreachable"


def test_the_key_is_not_in_the_repr() -> None:
    assert KEY not in repr(ModelClient(port=1, name="llama", key=KEY))


@pytest.fixture
def served() -> Iterator[tuple[World, httpx.Client]]:
    """A monitor before its first round, and a client of it."""
    world = World(a=["good"], b=["wrong"])
    world.monitor.model = ModelClient(port=1, name="llama", key=KEY)
    server = serve(world.monitor, 0)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            yield world, client
    finally:
        server.shutdown()
        server.server_close()


async def fetched(endpoint: Endpoint) -> list[tuple[str, str, float | None]]:
    """The statuses as the application reads them."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client:
        verdicts = await fetch_replica_statuses(client, endpoint)
    assert verdicts is not None
    return [(row.name, row.state, row.good_seconds_ago) for row in verdicts.replicas]


def test_the_monitor_serves_statuses_and_metrics_after_the_first_round(
    served: tuple[World, httpx.Client],
) -> None:
    world, client = served
    key = {"Authorization": f"Bearer {KEY}"}
    assert client.get("/replicas").status_code == 401
    invalid = [(b"Authorization", "Bearer é".encode())]
    assert client.get("/replicas", headers=invalid).status_code == 401
    assert client.get("/replicas", headers=key).status_code == 503
    assert client.get("/healthz").status_code == 503
    assert client.get("/anything").status_code == 404

    world.monitor.model = world.answers  # type: ignore[assignment]
    world.round()
    world.monitor.model = ModelClient(port=1, name="llama", key=KEY)

    assert client.get("/healthz").status_code == 200
    assert client.get("/replicas", headers=key).json() == {
        "replicas": [
            {"name": "a", "state": "ok", "good_seconds_ago": 0},
            {"name": "b", "state": "out", "good_seconds_ago": None},
        ]
    }

    endpoint = Endpoint(
        name="cluster",
        inference_mode="cluster",
        url=f"{client.base_url}/v1",
        model="llama",
        context_tokens=8192,
        replicas_url=f"{client.base_url}/replicas",
    )
    assert asyncio.run(fetched(endpoint)) == [("a", "ok", 0.0), ("b", "out", None)]
    assert client.get("/metrics").text.splitlines() == [
        "# TYPE seamless_replica_canaries_total counter",
        'seamless_replica_canaries_total{verdict="good"} 1',
        'seamless_replica_canaries_total{verdict="wrong"} 2',
        'seamless_replica_canaries_total{verdict="unreachable"} 0',
        "# TYPE seamless_replica_out gauge",
        'seamless_replica_out{replica="a",node="node-of-a"} 0',
        'seamless_replica_out{replica="b",node="node-of-b"} 1',
    ]
