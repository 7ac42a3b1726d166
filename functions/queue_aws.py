"""The worker's queue at AWS: what asks it for a document without waiting for it."""

from collections.abc import Callable

Send = Callable[[str], None]
"""Puts a message into a queue.

Raises:
    QueueError: when the queue does not take it.
"""


class QueueError(RuntimeError):
    """The queue did not take a message; says why in AWS's words."""


def sender(url: str) -> Send:
    """A sender to the queue at this URL, with the function's own identity and region."""
    import boto3  # type: ignore[import-untyped]  # Lambda's runtime brings it
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.exceptions import (  # type: ignore[import-untyped]
        BotoCoreError,
        ClientError,
    )

    # Somebody waits for the answer of the API.
    patience = Config(connect_timeout=3, read_timeout=3, retries={"total_max_attempts": 2})
    client = boto3.client("sqs", config=patience)

    def send(body: str) -> None:
        try:
            client.send_message(QueueUrl=url, MessageBody=body)
        except (BotoCoreError, ClientError) as error:
            raise QueueError(str(error)) from error

    return send
