"""What AWS Lambda does between a queue and a function: an event source mapping.

After docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html (read 2026-11-22).
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.support.hosts.execution import ExecutionError

log = logging.getLogger(__name__)

Json = dict[str, Any]

BATCH_SIZE = 10
"""AWS's default; the stack has 1, and what holds for ten holds for one."""

PAUSE_SECONDS = 0.05
"""AWS polls long; so does no test wait."""


class EventSourceMapping:
    """Takes batches from a queue, calls a function with them, deletes what it did not fail.

    Partial batch responses are turned on. What is not deleted comes back after the queue's
    visibility timeout, and ends in the dead-letter queue when it came too often; SQS does that.
    """

    def __init__(self, sqs: Any, queue_url: str, invoke: Callable[[Json], Any]) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._invoke = invoke
        self._stopped = threading.Event()
        self._thread = threading.Thread()
        self._delivering = threading.Lock()
        self._left: dict[str, str] = {}
        self.batches: list[tuple[list[str], list[str]]] = []
        """Of every call that ended: ids of the messages, and of those that were not deleted."""

    def start(self) -> None:
        """Begin to take messages."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def stop(self) -> None:
        """Take no more messages; the call that is under way ends before."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Let messages gather meanwhile."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def time_out(self) -> None:
        """Let the visibility timeout of all that was left in the queue be over, now.

        A call that is under way ends before.
        """
        with self._delivering:
            while self._left:
                _, handle = self._left.popitem()
                self._sqs.change_message_visibility(
                    QueueUrl=self._queue_url, ReceiptHandle=handle, VisibilityTimeout=0
                )

    def _poll(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            received = self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=BATCH_SIZE,
                MessageSystemAttributeNames=["All"],
            )
            if batch := received.get("Messages"):
                with self._delivering:
                    self._deliver(batch)

    def _deliver(self, batch: list[Json]) -> None:
        handles = {message["MessageId"]: message["ReceiptHandle"] for message in batch}
        try:
            response = self._invoke({"Records": [record(message) for message in batch]})
        except ExecutionError as error:
            log.info("the batch comes back: %s", error)
            failed = set(handles)
        else:
            failed = failures(response, set(handles))
        for id_, handle in handles.items():
            if id_ not in failed:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=handle)
        self._left.update({id_: handles[id_] for id_ in failed})
        self.batches.append((list(handles), sorted(failed)))


def failures(response: Any, ids: set[str]) -> set[str]:
    """The messages that a function's answer fails; all of them when it makes no sense.

    An empty answer, and one without failures, is a success.
    """
    if not response or not response.get("batchItemFailures"):
        return set()
    named = {item.get("itemIdentifier") for item in response["batchItemFailures"]}
    return named if named <= ids else ids


def record(message: Mapping[str, Any]) -> Json:
    """A message as a function is told of it.

    The shape: docs.aws.amazon.com/lambda/latest/dg/with-sqs.html (read 2026-11-22).
    """
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:arrivals",
        "awsRegion": "us-east-1",
    }
