"""An event source mapping of AWS Lambda between a queue and a function.

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
"""AWS's default; the stack has 1."""

PAUSE_SECONDS = 0.05
"""The pause between polls."""


class EventSourceMapping:
    """Calls a function with batches of a queue, and deletes the messages that did not fail.

    Partial batch responses are on. SQS redelivers failed messages and moves them to the dead-letter
    queue.
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
        """For each call the ids of the messages, and of the failed ones."""

    def start(self) -> None:
        """Start to poll."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def stop(self) -> None:
        """Stop to poll after the current call."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Collect messages in the queue meanwhile."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def time_out(self) -> None:
        """End the visibility timeout of all failed messages, after the current call."""
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
            log.info("the batch is redelivered: %s", error)
            failed = set(handles)
        else:
            failed = failures(response, set(handles))
        for id_, handle in handles.items():
            if id_ not in failed:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=handle)
        self._left.update({id_: handles[id_] for id_ in failed})
        self.batches.append((list(handles), sorted(failed)))


def failures(response: Any, ids: set[str]) -> set[str]:
    """The failed messages in a function's answer; all of them when the answer is invalid."""
    if not response or not response.get("batchItemFailures"):
        return set()
    named = {item.get("itemIdentifier") for item in response["batchItemFailures"]}
    return named if named <= ids else ids


def record(message: Mapping[str, Any]) -> Json:
    """A message in a function's event (docs.aws.amazon.com/lambda/latest/dg/with-sqs.html)."""
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
