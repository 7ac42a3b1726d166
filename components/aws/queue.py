"""The queue between the bucket and the worker, and its dead-letter queue."""

import pulumi
from pulumi_aws import sqs

from components.aws.iam import Statement, account, allow, policy

WORKER_SECONDS = 660
"""Timeout of the worker: a document's deadline of 600 seconds, and 60 seconds for start and end."""

VISIBILITY_SECONDS = 6 * WORKER_SECONDS
"""AWS recommends six times the worker's timeout.

Source: docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (read 2026-11-22).
"""

MAX_RECEIVES = 5

_DAY = 24 * 60 * 60


class Queue(pulumi.ComponentResource):
    """The queue that a bucket notifies (SQS).

    Creates:
    - a queue that the bucket and, for retries, the `api` function send to
    - a dead-letter queue for messages that were received `MAX_RECEIVES` times
    """

    arn: pulumi.Output[str]
    url: pulumi.Output[str]
    name: pulumi.Output[str]
    dead_letters_name: pulumi.Output[str]
    ready: pulumi.Resource
    """The queue's policy; S3 may send after it is created."""

    def __init__(
        self,
        name: str,
        *,
        bucket_arn: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("seamless:aws:Queue", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        dead_letters = sqs.Queue(
            f"{name}-dead-letters",
            message_retention_seconds=14 * _DAY,
            sqs_managed_sse_enabled=True,
            opts=child,
        )
        queue = sqs.Queue(
            f"{name}-queue",
            visibility_timeout_seconds=VISIBILITY_SECONDS,
            message_retention_seconds=4 * _DAY,
            sqs_managed_sse_enabled=True,
            redrive_policy=pulumi.Output.json_dumps(
                {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": MAX_RECEIVES}
            ),
            opts=child,
        )
        sqs.RedriveAllowPolicy(
            f"{name}-dead-letters-from",
            queue_url=dead_letters.url,
            redrive_allow_policy=pulumi.Output.json_dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [queue.arn]}
            ),
            opts=child,
        )
        self.ready = sqs.QueuePolicy(
            f"{name}-policy",
            queue_url=queue.url,
            policy=policy(
                [
                    {
                        **allow(
                            "sqs:SendMessage",
                            on=[queue.arn],
                            when={
                                "ArnEquals": {"aws:SourceArn": bucket_arn},
                                "StringEquals": {"aws:SourceAccount": account(queue.arn)},
                            },
                        ),
                        "Principal": {"Service": "s3.amazonaws.com"},
                    }
                ]
            ),
            opts=child,
        )
        self.arn, self.url, self.name = queue.arn, queue.url, queue.name
        self.dead_letters_name = dead_letters.name
        self.register_outputs({"arn": self.arn})

    def grant_send(self) -> Statement:
        """Allow sending a message, as the bucket does."""
        return allow("sqs:SendMessage", on=[self.arn])

    def grant_receive(self) -> Statement:
        """Allow receiving and deleting messages, which Lambda does for the worker."""
        return allow(
            "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=[self.arn]
        )
