"""Facts about DigitalOcean Functions: no retries, limits of size and time."""

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.contract.application import Caller, Document, sql
from tests.support.contract.model import SILENCE
from tests.support.hosts.execution import ExecutionError
from tests.support.hosts.functions_host import (
    ACTIONS,
    MAX_CONCURRENT,
    MAX_PAYLOAD_BYTES,
    WEB,
    FunctionsHost,
)

HOSTS = ["functions"]


def test_the_sweep_repeats_a_call_that_the_platform_rejects(
    host: FunctionsHost, caller: Caller
) -> None:
    document = Document()
    host.settle()  # a worker that still runs would take the document
    id_ = caller.upload(document.name, document.data)
    host.rejects = 1

    assert caller.complete(id_)["status"] == "queued"

    assert f"document {id_}: left to the sweep (429)" in host.executions["api"].log.read_text()
    assert caller.document(id_)["status"] == "queued"
    host.later()
    assert caller.ended(id_)["status"] == "done"
    assert host.started.count({"document_id": id_}) == 1


def test_a_sweep_that_meets_the_limit_succeeds_and_leaves_the_rest_queued(
    host: FunctionsHost, caller: Caller
) -> None:
    host.settle()
    marks = [Document().mark for _ in range(3)]
    for mark in marks:
        host.put(f"incoming/{mark}.txt", Document(mark=mark).data)
    host.rejects, before = 1, len(host.started)

    host.later()

    assert (host.rejects, len(host.started)) == (0, before)
    host.later()
    host.settle()
    names = [f"{mark}.txt" for mark in marks]
    assert (
        sql(host, "select status, attempts from documents where name = any(%s)", names)
        == [("done", 1)] * 3
    )


def test_a_refused_key_fails_the_sweep_and_health_until_a_start_is_accepted(
    host: FunctionsHost, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = Document()
    host.settle()

    def refused_starts() -> int:
        (line,) = [
            line
            for line in caller.http.get("metrics").text.splitlines()
            if line.startswith("seamless_worker_starts_refused_total ")
        ]
        return int(line.split()[1])

    def health() -> tuple[int, str]:
        host.executions["api"].kill()  # with the health that it remembers
        answer = caller.anonymous.get("healthz")
        return answer.status_code, answer.json()["worker_starts"]

    before = refused_starts()
    with monkeypatch.context() as revoked:
        revoked.setattr(host, "key", "dof_v1_other:key")
        id_ = caller.upload(document.name, document.data)
        assert caller.complete(id_)["status"] == "queued"
        with pytest.raises(ExecutionError, match=r"refused the key that starts workers \(401\)"):
            host.later()
    assert refused_starts() == before + 2
    assert health() == (503, "refused")
    assert host.key not in host.executions["sweep"].log.read_text()

    host.later()

    assert caller.ended(id_)["status"] == "done"
    assert health() == (200, "ok")


def test_without_a_due_document_the_sweep_tries_a_refused_key_again(
    host: FunctionsHost, caller: Caller
) -> None:
    host.settle()
    sql(
        host,
        "insert into worker_starts values (1, now(), 1)"
        " on conflict (id) do update set refused_since = now()",
    )

    host.later()
    host.settle()

    assert host.started[-1] == {"document_id": f"{UUID(int=0)}"}
    assert sql(host, "select refused_since from worker_starts") == [(None,)]


UPLOADS, WORKERS = 120, 60
"""Numbers of their own: a limit that is removed must fail these tests, not enlarge them."""

PAGE = ["", "api/documents", "metrics", "healthz"]


def send_all(caller: Caller, documents: list[Document], *, seconds: float) -> None:
    """Upload documents, ten at a time."""
    with ThreadPoolExecutor(10) as pool:
        sends = [pool.submit(caller.send, each.name, each.data) for each in documents]
        ended, waiting = wait(sends, timeout=seconds, return_when=FIRST_EXCEPTION)
        for send in waiting:
            send.cancel()
        for send in ended:
            send.result()
    assert not waiting, f"{len(waiting)} uploads did not end in {seconds:g} seconds"


def documents_by_status(host: FunctionsHost, documents: list[Document]) -> dict[str, int]:
    """Number of these documents by their status."""
    marks = [f"%{document.mark}%" for document in documents]
    return dict(
        sql(
            host, "select status, count(*) from documents where name like any(%s) group by 1", marks
        )
    )


@pytest.mark.timeout(600)
def test_a_flood_of_uploads_starts_half_as_many_workers_and_the_page_answers(
    host: FunctionsHost, caller: Caller
) -> None:
    host.settle()
    documents = [Document() for _ in range(UPLOADS)]
    before, host.throttled = len(host.started), 0

    with host.executions["summarize"].busy():
        send_all(caller, documents, seconds=400)
        host.later()  # neither does the sweep start more
        page = [caller.http.get(path).status_code for path in PAGE]
        started = len(host.started) - before
        assert documents_by_status(host, documents) == {"queued": UPLOADS}
        # Ten that have no worker are enough to show that a worker takes them.
        sql(
            host,
            """update documents set status = 'failed', error_code = 'INTERNAL'
            where status = 'queued' and id not in (
                select id from documents order by created_at desc limit 10)""",
        )

    assert started == WORKERS, f"{started} of {UPLOADS} uploads started a worker, not {WORKERS}"
    assert (host.throttled, page) == (0, [200] * len(PAGE))
    host.settle()
    assert documents_by_status(host, documents) == {"failed": UPLOADS - 10, "done": 10}
    assert len(host.started) - before == WORKERS


@pytest.mark.nightly
@pytest.mark.timeout(700)
def test_a_backlog_of_500_documents_is_done_within_the_limit_of_workers(
    host: FunctionsHost, caller: Caller
) -> None:
    host.settle()
    documents = [Document() for _ in range(500)]
    before, host.throttled = len(host.started), 0

    with host.executions["summarize"].busy():
        for document in documents:
            host.put(f"incoming/flood/{document.mark}.txt", document.data)
        host.later()
        assert [caller.http.get(path).status_code for path in PAGE] == [200] * len(PAGE)
        assert (len(host.started) - before, host.throttled) == (WORKERS, 0)

    host.settle(seconds=600)
    assert documents_by_status(host, documents) == {"done": 500}


def test_calls_above_the_limits_of_a_namespace_are_rejected(
    host: FunctionsHost, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.settle()
    url, auth = f"{host.url}{ACTIONS}summarize?blocking=false", host.key.partition(":")[::2]
    event = {"document_id": f"{uuid4()}"}

    with host.executions["summarize"].busy():
        statuses = [
            httpx.post(url, json=event, auth=auth).status_code for _ in range(MAX_CONCURRENT)
        ]
        above = caller.http.get("api/documents")
    host.settle()
    monkeypatch.setattr(host, "per_minute", 0)
    later = httpx.post(url, json=event, auth=auth)

    assert statuses == [202] * MAX_CONCURRENT
    assert (above.status_code, above.json()["error"]) == (
        429,
        "Too many concurrent requests in flight (count: 121, allowed: 120).",
    )
    assert later.status_code == 429
    assert later.json()["error"].startswith("Too many requests in the last minute (count: ")


def test_a_worker_is_stopped_after_its_timeout_and_replaced(
    host: FunctionsHost, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = Document()
    host.executions["summarize"].call({"document_id": f"{uuid4()}"})  # a warm start
    host.model.script(document.mark, SILENCE)
    with monkeypatch.context() as limits:
        limits.setattr(host.executions["summarize"], "seconds", 2.0)
        id_ = caller.send(document.name, document.data)
        host.settle()
    host.model.answer(document.mark)

    assert caller.document(id_)["status"] == "working"
    sql(host, "update documents set lease_until = now() - interval '1 s' where id = %s", UUID(id_))
    host.later()
    done = caller.ended(id_)
    assert (done["status"], done["attempts"]) == ("done", 2)


def test_a_worker_is_no_web_function_and_requires_the_key(host: FunctionsHost) -> None:
    for name in ("summarize", "sweep"):
        assert httpx.post(f"{host.url}{WEB}{name}").status_code == 404
    url, event = f"{host.url}{ACTIONS}summarize?blocking=false", {"document_id": f"{uuid4()}"}
    user, _, password = host.key.partition(":")

    assert httpx.post(url, json=event).status_code == 401
    assert httpx.post(url, json=event, auth=(user, "wrong")).status_code == 401
    answer = httpx.post(url, json=event, auth=(user, password))
    host.settle()

    assert (answer.status_code, list(answer.json())) == (202, ["activationId"])


def test_a_request_above_a_megabyte_is_rejected_by_the_platform(
    host: FunctionsHost, caller: Caller
) -> None:
    answer = caller.http.post("api/uploads", content=b" " * (MAX_PAYLOAD_BYTES + 1))

    assert (answer.status_code, answer.json().keys()) == (413, {"error", "code"})
