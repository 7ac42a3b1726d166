"""The queue between the bucket and the worker: what arrived, and what nobody could take."""

import pulumi
from pulumi_aws import sqs

from components.aws.iam import Statement, account, allow, policy

WORKER_SECONDS = 660
"""Timeout of the worker: a document's deadline of 600 seconds, and a minute for what is around."""

VISIBILITY_SECONDS = 6 * WORKER_SECONDS
"""AWS asks for six times the worker's timeout.

Source: docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (read 2026-11-22).
"""

MAX_RECEIVES = 5

_DAY = 24 * 60 * 60


class Queue(pulumi.ComponentResource):
    """Messages of a bucket, and a dead-letter queue for those received too often."""

    arn: pulumi.Output[str]
    url: pulumi.Output[str]
    name: pulumi.Output[str]
    dead_letters_name: pulumi.Output[str]
    ready: pulumi.Resource
    """What must be there before S3 may send."""

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
        """May put a message into the queue, as the bucket does."""
        return allow("sqs:SendMessage", on=[self.arn])

    def grant_receive(self) -> Statement:
        """May take messages and delete them, which Lambda does on the worker's behalf."""
        return allow(
            "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=[self.arn]
        )
