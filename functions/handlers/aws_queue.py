"""Sends messages to the SQS queue of the function `summarize`."""

from collections.abc import Callable

DOCUMENTS_AT_ONCE = 2
"""Documents that a function processes at the same time; it has memory for so many."""

Send = Callable[[str], None]
"""Sends a message to a queue.

Raises:
    QueueError: when the queue rejects it.
"""


class QueueError(RuntimeError):
    """The queue rejected a message; with the error of AWS."""


def sender(url: str) -> Send:
    """A sender to the queue at this URL, with the identity and region of the function."""
    import boto3  # type: ignore[import-untyped]  # Lambda's runtime brings it
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.exceptions import (  # type: ignore[import-untyped]
        BotoCoreError,
        ClientError,
    )

    # A user waits for the response of the API.
    patience = Config(connect_timeout=3, read_timeout=3, retries={"total_max_attempts": 2})
    client = boto3.client("sqs", config=patience)

    def send(body: str) -> None:
        try:
            client.send_message(QueueUrl=url, MessageBody=body)
        except (BotoCoreError, ClientError) as error:
            raise QueueError(str(error)) from error

    return send
