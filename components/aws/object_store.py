"""The object store of the split variant: an S3 bucket that notifies a queue of uploads."""

import pulumi
from pulumi_aws import kms, s3

from components.aws.iam import Statement, allow, policy
from components.aws.queue import Queue
from functions.storage.signed_upload import CORS_HEADERS

INCOMING, SUMMARIES = "incoming/", "summaries/"
"""Key prefixes of `functions.storage.object_store`. Only `incoming/` notifies: a summary must not
call
the worker."""


class Store(pulumi.ComponentResource):
    """A private S3 bucket (see `components.contracts.Store`).

    Creates:
    - an S3 bucket with versioning, a lifecycle rule and a CORS rule for the page
    - a KMS key that encrypts its objects
    - a public access block, bucket owner enforcement, and a policy that denies requests without TLS
    - a queue, and a notification to it for every object under `incoming/`

    Functions access the bucket by their roles, without an access key.
    """

    url: pulumi.Output[str]
    bucket: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    region: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    arrivals: Queue
    """Receives a message for every object that is written under `incoming/`."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        bucket: str = "",
        production: bool,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        bucket: Name of the bucket, unique in all AWS accounts; empty generates one.
        production: True keeps replaced versions for 90 days instead of 7.
        protect: True refuses to delete the bucket and its key; False deletes all documents with the
            stack.
        """
        super().__init__("seamless:aws:Store", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=protect)
        self._key = kms.Key(
            f"{name}-key",
            description="Documents and summaries",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            opts=kept,
        )
        self._bucket = s3.Bucket(
            f"{name}-bucket", bucket=bucket or None, force_destroy=not protect, opts=kept
        )
        self._name = name
        self._secure(child)
        self._retain(90 if production else 7, child)
        self.arrivals = Queue(f"{name}-arrivals", bucket_arn=self._bucket.arn, opts=child)
        s3.BucketNotification(
            f"{name}-notification",
            bucket=self._bucket.id,
            queues=[
                s3.BucketNotificationQueueArgs(
                    queue_arn=self.arrivals.arn,
                    events=["s3:ObjectCreated:*"],
                    filter_prefix=INCOMING,
                )
            ],
            # S3 sends a test message at once, so the queue's policy must exist.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.arrivals.ready]),
        )
        empty = pulumi.Output.from_input("")
        self.bucket = self._bucket.bucket
        self.url = pulumi.Output.concat("s3://", self._bucket.bucket)
        self.region = pulumi.Output.from_input(region)
        self.endpoint = self.access_key_id = empty
        self.secret_access_key = pulumi.Output.secret("")
        self.register_outputs({"url": self.url, "bucket": self.bucket})

    def allow_uploads_from(self, origin: pulumi.Output[str]) -> None:
        """Allow uploads from the page at this origin, and from no other page."""
        s3.BucketCorsConfiguration(
            f"{self._name}-cors",
            bucket=self._bucket.id,
            cors_rules=[
                s3.BucketCorsConfigurationCorsRuleArgs(
                    allowed_methods=["PUT"],
                    allowed_origins=[origin],
                    allowed_headers=[*CORS_HEADERS],
                    max_age_seconds=3600,
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )

    def grant_uploads(self) -> list[Statement]:
        """Allow signing uploads and checking that they arrived."""
        return [
            allow("s3:PutObject", "s3:GetObject", on=[self._objects(INCOMING)]),
            # Without it S3 answers 403 instead of 404 for a missing object.
            allow("s3:ListBucket", on=[self._bucket.arn]),
            allow("kms:GenerateDataKey", on=[self._key.arn]),
        ]

    def grant_work(self) -> list[Statement]:
        """Allow listing and reading documents and writing summaries."""
        return [
            allow("s3:ListBucket", on=[self._bucket.arn]),
            allow("s3:GetObject", on=[self._objects(INCOMING)]),
            allow("s3:PutObject", on=[self._objects(SUMMARIES)]),
            allow("kms:Decrypt", "kms:GenerateDataKey", on=[self._key.arn]),
        ]

    def _objects(self, prefix: str) -> pulumi.Output[str]:
        return pulumi.Output.concat(self._bucket.arn, "/", prefix, "*")

    def _secure(self, child: pulumi.ResourceOptions) -> None:
        """Encryption, bucket ownership, no public access, TLS only."""
        name, bucket = self._name, self._bucket
        s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption",
            bucket=bucket.id,
            rules=[
                s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                        sse_algorithm="aws:kms", kms_master_key_id=self._key.arn
                    ),
                    # S3's default since March 2026; a rule without it is a difference for ever in
                    # some versions of the provider (hashicorp/terraform-provider-aws#47320).
                    blocked_encryption_types=["SSE-C"],
                    bucket_key_enabled=True,  # otherwise each object costs a call to KMS
                )
            ],
            opts=child,
        )
        s3.BucketOwnershipControls(
            f"{name}-ownership",
            bucket=bucket.id,
            rule=s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=child,
        )
        private = s3.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        s3.BucketPolicy(
            f"{name}-policy",
            bucket=bucket.id,
            policy=policy(
                [
                    {
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ]
            ),
            # S3 refuses two concurrent changes of a bucket's access settings.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[private]),
        )

    def _retain(self, noncurrent_days: int, child: pulumi.ResourceOptions) -> None:
        """Keep replaced versions for some days, and abort uploads that were not completed."""
        versioning = s3.BucketVersioning(
            f"{self._name}-versioning",
            bucket=self._bucket.id,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(
                status="Enabled"
            ),
            opts=child,
        )
        s3.BucketLifecycleConfiguration(
            f"{self._name}-lifecycle",
            bucket=self._bucket.id,
            rules=[
                s3.BucketLifecycleConfigurationRuleArgs(
                    id="leftovers",
                    status="Enabled",
                    filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                    abort_incomplete_multipart_upload=s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                        days_after_initiation=7
                    ),
                    noncurrent_version_expiration=s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                        noncurrent_days=noncurrent_days
                    ),
                )
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
