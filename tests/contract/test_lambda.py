"""Facts about AWS: batches with partial failures, redelivered messages, dead letters."""

from uuid import UUID

from components.aws.queue import MAX_RECEIVES
from tests.support import local
from tests.support.contract.application import Caller, Document, sql
from tests.support.contract.model import SILENCE
from tests.support.hosts.lambda_host import LambdaHost
from tests.support.hosts.notification import TEST_EVENT

HOSTS = ["lambda"]


def deliveries(host: LambdaHost, message: str, *, at_least: int) -> list[tuple[int, bool]]:
    """Size of every batch with a message, and whether the message failed."""

    def found() -> list[tuple[int, bool]] | None:
        batches = [
            (len(ids), message in failed)
            for ids, failed in list(host.mapping.batches)
            if message in ids
        ]
        return batches if len(batches) >= at_least else None

    return local.until(found)


def test_one_invalid_message_fails_alone_and_becomes_a_dead_letter(
    host: LambdaHost, caller: Caller
) -> None:
    documents = [Document() for _ in range(3)]
    host.settle()
    with host.mapping.disabled():
        poison = host.send("no JSON")
        ids = [caller.upload(document.name, document.data) for document in documents]

    assert deliveries(host, poison, at_least=1) == [(4, True)]
    assert [caller.ended(id_)["status"] for id_ in ids] == ["done"] * 3
    assert host.cloud.waiting(host.cloud.queue_url) == (0, 1)
    for count in range(2, MAX_RECEIVES + 1):
        host.mapping.time_out()
        assert len(deliveries(host, poison, at_least=count)) == count
    host.mapping.time_out()
    host.settle()

    assert len(deliveries(host, poison, at_least=MAX_RECEIVES)) == MAX_RECEIVES
    assert host.cloud.waiting(host.cloud.dead_letters_url) == (1, 0)
    assert [host.model.calls(document.mark) for document in documents] == [1, 1, 1]


def test_the_message_of_a_killed_worker_is_redelivered_before_any_sweep(
    host: LambdaHost, caller: Caller
) -> None:
    document = Document()
    host.model.script(document.mark, SILENCE)
    id_ = caller.upload(document.name, document.data)
    local.until(lambda: host.model.calls(document.mark) or None)

    host.kill_worker()
    sql(host, "update documents set lease_until = now() - interval '1 s' where id = %s", UUID(id_))
    host.mapping.time_out()

    done = caller.ended(id_)
    assert (done["status"], done["attempts"]) == ("done", 2)
    host.settle()


def test_the_test_message_of_s3_is_accepted_and_deleted(host: LambdaHost) -> None:
    host.settle()
    before = host.cloud.waiting(host.cloud.dead_letters_url)
    message = host.send(TEST_EVENT)

    assert deliveries(host, message, at_least=1) == [(1, False)]
    assert host.cloud.waiting(host.cloud.dead_letters_url) == before
