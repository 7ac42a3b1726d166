"""A document when events repeat or are lost, workers are killed and the model fails.

Leases, back-offs and visibility timeouts are changed in place of waiting.
"""

from functions.errors import Code
from tests.support import local
from tests.support.contract.application import Caller, Document, Host, sql
from tests.support.contract.model import SILENCE
from tests.support.refusals import NO_MODEL

HOSTS = ["local", "lambda", "functions"]


def test_five_equal_events_cause_one_call_of_the_model(host: Host, caller: Caller) -> None:
    document = Document()
    id_ = caller.send(document.name, document.data)

    host.deliver(id_, times=5)

    done = caller.ended(id_)
    host.settle()
    assert (done["status"], done["attempts"], done["usage"]["calls"]) == ("done", 1, 1)
    assert host.model.calls(document.mark) == 1
    assert sql(host, "select count(*) from documents where name = %s", document.name) == [(1,)]
    assert caller.document(id_) == done


def test_an_event_for_a_finished_document_changes_nothing(host: Host, caller: Caller) -> None:
    document = Document()
    done = caller.ended(caller.send(document.name, document.data))

    host.deliver(done["id"], times=1)
    host.settle()
    host.later()

    assert caller.document(done["id"]) == done
    assert host.model.calls(document.mark) == 1


def test_a_long_document_is_read_in_parts(host: Host, caller: Caller) -> None:
    mark = Document().mark
    data = "".join(f"Chapter {n}. On day {n} {mark} saw {n} ships.\n\n" for n in range(3000))

    done = caller.ended(caller.send("log.md", data.encode()))

    calls = done["usage"]["calls"]
    assert done["status"] == "done"
    assert done["progress"] == {"done": calls, "total": calls}
    assert calls > 5


def test_a_killed_worker_is_replaced(host: Host, caller: Caller) -> None:
    document = Document()
    host.model.script(document.mark, SILENCE)
    id_ = caller.send(document.name, document.data)
    local.until(lambda: host.model.calls(document.mark) or None)

    host.kill_worker()
    held = caller.document(id_)
    assert (held["status"], held["attempts"]) == ("working", 1)
    sql(host, "update documents set lease_until = now() - interval '1 s' where id = %s", id_)
    host.later()

    done = caller.ended(id_)
    assert (done["status"], done["attempts"]) == ("done", 2)
    assert host.model.calls(document.mark) == 2


def test_a_call_of_a_busy_model_is_repeated(host: Host, caller: Caller) -> None:
    document = Document()
    host.model.script(document.mark, 429, 503)

    done = caller.ended(caller.send(document.name, document.data))

    assert (done["status"], done["attempts"], done["usage"]["calls"]) == ("done", 1, 3)
    assert host.model.calls(document.mark) == 3


def test_a_document_is_retried_after_an_outage_of_the_model(host: Host, caller: Caller) -> None:
    host.kill_worker()  # with the state of its circuit breaker
    document = Document()
    host.model.script(document.mark, 503, 503, 503, 503)  # all attempts of one call
    id_ = caller.send(document.name, document.data)

    waiting = caller.until(id_, lambda found: found["error"] is not None)
    assert (waiting["status"], waiting["error"]["code"]) == ("queued", Code.INFERENCE_UNAVAILABLE)
    host.settle()
    sql(host, "update documents set not_before = now() where id = %s", id_)
    host.later()

    done = caller.ended(id_)
    assert (done["status"], done["error"], done["attempts"]) == ("done", None, 2)


def test_a_document_waits_for_a_model_that_is_gone(host: Host, caller: Caller) -> None:
    host.kill_worker()  # with the state of its circuit breaker
    document = Document()
    host.model.script(document.mark, NO_MODEL["fireworks"])
    id_ = caller.send(document.name, document.data)

    waiting = caller.until(id_, lambda found: found["error"] is not None)
    assert (waiting["status"], waiting["attempts"]) == ("queued", 0)
    assert waiting["error"]["code"] == Code.MODEL_NOT_FOUND
    assert "pulumi config set inference_model" in waiting["error"]["remedy"]
    host.settle()
    host.kill_worker()  # as a new config does
    sql(host, "update endpoints set checked_at = now() - interval '1 hour'")
    host.later()  # its canary is answered

    done = caller.ended(id_)
    assert (done["status"], done["error"], done["attempts"]) == ("done", None, 1)
    assert host.model.calls(document.mark) == 2


def test_a_rejected_key_fails_the_document_until_a_retry(host: Host, caller: Caller) -> None:
    host.kill_worker()  # with the state of its circuit breaker
    document = Document()
    host.model.script(document.mark, 401)
    id_ = caller.send(document.name, document.data)

    failed = caller.ended(id_)
    assert (failed["status"], failed["error"]["code"]) == ("failed", Code.INFERENCE_UNAUTHORIZED)
    assert "pulumi config set --secret inference_api_key" in failed["error"]["remedy"]
    caller.retry(id_)
    host.later()

    done = caller.ended(id_, attempts=2)
    assert (done["status"], done["error"]) == ("done", None)


def test_an_upload_without_a_complete_call_is_found(host: Host, caller: Caller) -> None:
    document = Document()
    id_ = caller.upload(document.name, document.data)

    host.later()

    done = caller.ended(id_)
    assert (done["status"], done["attempts"]) == ("done", 1)


def test_an_object_without_an_announcement_is_found(host: Host, caller: Caller) -> None:
    document = Document()
    host.put(f"incoming/by-hand/{document.mark}.txt", document.data)

    host.later()

    def found() -> str | None:
        names = {each["name"]: each["id"] for each in caller.newest()}
        return names.get(f"{document.mark}.txt")

    done = caller.ended(local.until(found))
    assert (done["status"], done["attempts"]) == ("done", 1)
    assert host.model.calls(document.mark) == 1
