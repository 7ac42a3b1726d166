"""Proves what becomes of a replica by how it answers its canaries, whatever is interrupted.

`tests/cluster/test_examiner.py` has the same program ask a real API server.
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

from components.kubernetes.inside.examiner import (
    BETWEEN_DELETIONS_SECONDS,
    DAY_SECONDS,
    INTERVAL_SECONDS,
    OUT_SECONDS,
    SERVES,
    Examiner,
    Model,
    serve,
)
from functions.endpoint import Endpoint
from functions.question import CODE, Verdict, canary_prompt
from functions.replicas import fetch_replica_statuses

KEY = "key-of-the-model"


@dataclass(kw_only=True)
class Cluster:
    """Pods and notes, as an API server would keep them; `broken` names what fails."""

    labels: dict[str, str]
    starting: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    kept_text: str = ""
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

    def kept(self, config_map: str) -> str:
        assert config_map == "notes"
        return self.kept_text

    def keep(self, config_map: str, text: str) -> None:
        assert config_map == "notes"
        self._do("keep")
        self.kept_text = text

    def _do(self, what: str) -> None:
        if what == self.broken:
            raise OSError(f"{what}: 503")


@dataclass
class Answers:
    """What each replica says next; it repeats its last answer."""

    by_replica: dict[str, list[Verdict]]

    def ask(self, address: str) -> Verdict:
        answers = self.by_replica[address]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class World:
    """A cluster, its replicas' answers, and a clock that only these tests move."""

    def __init__(self, **answers: list[Verdict]) -> None:
        self.now = 1_000_000.0
        self.cluster = Cluster(labels=dict.fromkeys(answers, "yes"))
        self.answers = Answers(answers)
        self.examiner = self.started()

    def started(self) -> Examiner:
        """The program, begun anew."""
        return Examiner(
            kubernetes=self.cluster,  # type: ignore[arg-type]
            model=self.answers,  # type: ignore[arg-type]
            selector="role=leader",
            config_map="notes",
            clock=lambda: self.now,
        )

    def round(self, *, after: float = INTERVAL_SECONDS) -> None:
        self.now += after
        self.examiner.round()

    def verdicts(self) -> dict[str, tuple[str, float | None]]:
        return {
            row["name"]: (row["state"], row["good_seconds_ago"])
            for row in self.examiner.verdicts()["replicas"]
        }


def test_replicas_that_answer_rightly_serve_on() -> None:
    world = World(a=["good"], b=["good"])
    world.round()
    world.round()
    world.now += 7
    assert world.verdicts() == {"a": ("ok", 7), "b": ("ok", 7)}
    assert world.cluster.labels == {"a": "yes", "b": "yes"}
    assert world.cluster.deleted == []


def test_one_that_answers_wrongly_twice_leaves_the_service_and_goes_in_the_same_round() -> None:
    world = World(a=["good"], b=["good", "wrong"])
    world.round()
    world.round()
    assert world.verdicts() == {"a": ("ok", 0), "b": ("out", INTERVAL_SECONDS)}
    assert world.cluster.labels == {"a": "yes"}
    assert world.cluster.deleted == ["b"]


def test_one_wrong_answer_is_an_accident() -> None:
    world = World(a=["good", "wrong", "good"])
    world.round()
    world.round()
    assert world.verdicts() == {"a": ("ok", 0)}
    assert world.examiner.canaries == {"good": 2, "wrong": 1, "unreachable": 0}


def test_one_that_cannot_be_reached_has_not_drifted_and_is_not_known_to_be_right() -> None:
    world = World(a=["good", "unreachable"])
    world.round()
    for _ in range(10):
        world.round()
    assert world.verdicts() == {"a": ("ok", 10 * INTERVAL_SECONDS)}
    assert world.cluster.labels == {"a": "yes"}


def test_one_that_was_never_right_has_no_time_of_its_last_right_answer() -> None:
    world = World(a=["wrong"])
    world.round()
    assert world.verdicts() == {"a": ("out", None)}


def test_one_replica_goes_at_a_time_and_three_a_day_but_all_that_drift_are_out() -> None:
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


def test_one_that_stays_comes_back_by_three_right_answers_and_a_quarter_of_an_hour() -> None:
    world = World(a=["wrong"], b=["good", "wrong", "wrong", "good"])
    world.round()
    world.round()
    assert world.verdicts()["b"] == ("out", INTERVAL_SECONDS)
    assert world.cluster.labels == {"b": "no"}
    world.round(after=OUT_SECONDS)
    world.round()
    # Until it is in, what it answered since its last right answer while in is in doubt.
    assert world.verdicts()["b"] == ("out", OUT_SECONDS + 2 * INTERVAL_SECONDS)
    world.round()
    assert world.verdicts()["b"] == ("ok", 0)
    assert world.cluster.labels == {"b": "yes"}


def test_one_that_recovers_at_once_is_still_out_when_the_application_looks() -> None:
    world = World(a=["wrong"], b=["wrong", "wrong", "good"])
    world.round()
    for _ in range(int(OUT_SECONDS / INTERVAL_SECONDS) - 1):
        world.round()
    assert world.verdicts()["b"] == ("out", None)
    world.round()
    assert world.verdicts()["b"] == ("ok", 0)


def test_one_that_is_gone_is_remembered_for_a_day_if_it_was_out_and_else_forgotten() -> None:
    world = World(a=["wrong"], b=["good"])
    world.round()
    del world.cluster.labels["b"]
    world.round()
    assert world.verdicts() == {"a": ("out", None)}
    world.round(after=DAY_SECONDS)
    assert world.verdicts() == {}


@pytest.mark.parametrize("broken", ["keep", "label", "delete"])
def test_what_was_interrupted_is_done_by_the_next_program(broken: str) -> None:
    world = World(a=["good", "wrong"], b=["good"])
    world.round()
    world.cluster.broken = broken
    with pytest.raises(OSError, match=broken):
        world.round()

    world.cluster.broken = ""
    world.examiner = world.started()
    world.round()

    assert world.cluster.deleted == ["a"]
    assert world.cluster.labels == {"b": "yes"}
    assert world.verdicts() == {"a": ("out", 2 * INTERVAL_SECONDS), "b": ("ok", 0)}


def test_a_pod_that_is_not_ready_or_is_leaving_is_asked_nothing() -> None:
    world = World(a=["good"], b=["wrong"], c=["wrong"])
    world.cluster.starting, world.cluster.leaving = {"b"}, {"c"}
    world.round()
    assert world.verdicts() == {"a": ("ok", 0)}
    assert world.cluster.deleted == []


# ---------------------------------------------------------------- over HTTP


@contextmanager
def replying(status: int, body: object) -> Iterator[tuple[Model, list[tuple[str, str, Any]]]]:
    """A replica that always answers so, and what it was asked."""
    asked: list[tuple[str, str, Any]] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, self.headers["Authorization"], sent))
            said = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield Model(port=server.server_port, name="llama", key=KEY), asked
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
def test_an_answer_is_good_or_wrong_only_when_it_is_one(
    status: int, body: object, verdict: Verdict
) -> None:
    with replying(status, body) as (model, asked):
        assert model.ask("127.0.0.1") == verdict
    assert asked == [("/v1/chat/completions", f"Bearer {KEY}", canary_prompt("llama"))]


def test_a_closed_port_is_no_wrong_answer() -> None:
    with replying(200, {}) as (model, _):
        pass
    assert model.ask("127.0.0.1") == "unreachable"


def test_the_key_is_shown_by_no_repr() -> None:
    assert KEY not in repr(Model(port=1, name="llama", key=KEY))


@pytest.fixture
def served() -> Iterator[tuple[World, httpx.Client]]:
    """An examiner that was asked nothing yet, and a caller of it."""
    world = World(a=["good"], b=["wrong"])
    world.examiner.model = Model(port=1, name="llama", key=KEY)
    server = serve(world.examiner, 0)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            yield world, client
    finally:
        server.shutdown()
        server.server_close()


async def told(endpoint: Endpoint) -> list[tuple[str, str, float | None]]:
    """The verdicts as the application reads them."""
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client:
        verdicts = await fetch_replica_statuses(client, endpoint)
    assert verdicts is not None
    return [(row.name, row.state, row.good_seconds_ago) for row in verdicts.replicas]


def test_verdicts_need_the_key_and_a_first_round(served: tuple[World, httpx.Client]) -> None:
    world, client = served
    key = {"Authorization": f"Bearer {KEY}"}
    assert client.get("/replicas").status_code == 401
    assert (
        client.get("/replicas", headers=[(b"Authorization", "Bearer é".encode())]).status_code
        == 401
    )
    assert client.get("/replicas", headers=key).status_code == 503
    assert client.get("/healthz").status_code == 503
    assert client.get("/anything").status_code == 404

    world.examiner.model = world.answers  # type: ignore[assignment]
    world.round()
    world.examiner.model = Model(port=1, name="llama", key=KEY)

    assert client.get("/healthz").status_code == 200
    assert client.get("/replicas", headers=key).json() == {
        "replicas": [
            {"name": "a", "state": "ok", "good_seconds_ago": 0},
            {"name": "b", "state": "out", "good_seconds_ago": None},
        ]
    }

    endpoint = Endpoint(
        name="cluster",
        rung="cluster",
        url=f"{client.base_url}/v1",
        model="llama",
        context_tokens=8192,
        replicas_url=f"{client.base_url}/replicas",
    )
    assert asyncio.run(told(endpoint)) == [("a", "ok", 0.0), ("b", "out", None)]
    assert client.get("/metrics").text.splitlines() == [
        "# TYPE seamless_replica_canaries_total counter",
        'seamless_replica_canaries_total{verdict="good"} 1',
        'seamless_replica_canaries_total{verdict="wrong"} 2',
        'seamless_replica_canaries_total{verdict="unreachable"} 0',
        "# TYPE seamless_replica_out gauge",
        'seamless_replica_out{replica="a",node="node-of-a"} 0',
        'seamless_replica_out{replica="b",node="node-of-b"} 1',
    ]
