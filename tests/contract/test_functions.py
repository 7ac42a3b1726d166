"""Facts about DigitalOcean Functions: no retries, limits of size and time."""

from uuid import UUID, uuid4

import httpx
import pytest

from tests.support.contract.application import Caller, Document, sql
from tests.support.contract.model import SILENCE
from tests.support.hosts.functions_host import ACTIONS, MAX_PAYLOAD_BYTES, WEB, FunctionsHost

HOSTS = ["functions"]


def test_the_sweep_repeats_a_call_that_the_platform_rejects(
    host: FunctionsHost, caller: Caller
) -> None:
    document = Document()
    id_ = caller.upload(document.name, document.data)
    host.rejects = 1

    assert caller.complete(id_)["status"] == "queued"

    assert f"document {id_}: left to the sweep (429)" in host.executions["api"].log.read_text()
    assert caller.document(id_)["status"] == "queued"
    host.later()
    assert caller.ended(id_)["status"] == "done"
    assert host.started.count({"document_id": id_}) == 1


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
