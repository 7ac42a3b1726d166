"""The object store of the integrated variant: a Spaces bucket with its own key."""

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_digitalocean as digitalocean

from functions.storage.signed_upload import CORS_HEADERS


class Store(pulumi.ComponentResource):
    """A private Spaces bucket (see `components.contracts.Store`).

    Creates:
    - a bucket with versioning, a lifecycle rule and a CORS rule for the page
    - an access key for this bucket only

    Spaces sends no notifications of new objects: the upload-complete call and the sweep replace
    them.
    """

    url: pulumi.Output[str]
    bucket: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    region: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    project_urn: pulumi.Output[str]
    """URN of the bucket in DigitalOcean's projects."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        bucket: str = "",
        protect: bool,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        region: A region with Spaces.
        bucket: Name of the bucket, unique in the region; empty generates one.
        protect: True refuses to delete the bucket; False deletes it with its documents.
        """
        super().__init__("seamless:digitalocean:Store", name, None, opts)
        self._prefix = name
        spaces = digitalocean.SpacesBucket(
            f"{name}-bucket",
            name=bucket or None,  # Pulumi generates one with seven random digits at the end
            region=region,
            acl="private",
            versioning=digitalocean.SpacesBucketVersioningArgs(enabled=True),
            lifecycle_rules=[
                digitalocean.SpacesBucketLifecycleRuleArgs(
                    id="expire-replaced-versions",
                    enabled=True,
                    noncurrent_version_expiration=(
                        digitalocean.SpacesBucketLifecycleRuleNoncurrentVersionExpirationArgs(
                            days=30
                        )
                    ),
                    abort_incomplete_multipart_upload_days=1,
                )
            ],
            force_destroy=not protect,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                protect=protect,
                # The provider reports a new name as an update, but creates no bucket with it.
                replace_on_changes=["name"],
            ),
        )
        key = digitalocean.SpacesKey(
            f"{name}-key",
            name=spaces.name,
            grants=[
                digitalocean.SpacesKeyGrantArgs(bucket=spaces.name, permission="readwrite"),
            ],
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["secret_key"]),
        )
        self.bucket = spaces.name
        self.url = spaces.name.apply(_url)
        self.endpoint = pulumi.Output.from_input(f"https://{region}.digitaloceanspaces.com")
        self.region = pulumi.Output.from_input(region)
        self.access_key_id = key.access_key
        self.secret_access_key = pulumi.Output.secret(key.secret_key)
        self.project_urn = spaces.bucket_urn
        self.register_outputs({"url": self.url, "bucket": self.bucket})

    def allow_uploads_from(self, origin: pulumi.Input[str]) -> None:
        """Allow uploads from the page at this origin, and from no other page."""
        digitalocean.SpacesBucketCorsConfiguration(
            f"{self._prefix}-cors",
            bucket=self.bucket,
            region=self.region,
            cors_rules=[
                digitalocean.SpacesBucketCorsConfigurationCorsRuleArgs(
                    allowed_origins=[origin],
                    allowed_methods=["PUT"],
                    allowed_headers=[*CORS_HEADERS],
                    max_age_seconds=3600,
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _url(bucket: Any) -> str:
    return f"s3://{bucket}"
