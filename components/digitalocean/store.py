"""The object store of the integrated arrangement: a Spaces bucket and a key that opens only it."""

from typing import Any

import pulumi
import pulumi_digitalocean as digitalocean


class Store(pulumi.ComponentResource):
    """A private, versioned bucket (see `components.contracts.Store`).

    Spaces tells nobody of a new object: the upload-complete call and the sweep do instead.
    """

    url: pulumi.Output[str]
    bucket: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    region: pulumi.Output[str]
    access_key_id: pulumi.Output[str]
    secret_access_key: pulumi.Output[str]
    urn_in_project: pulumi.Output[str]
    """What a project knows the bucket by."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        bucket: str = "",
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        region: A region with Spaces.
        bucket: Its name, unique in the region; empty makes one up.
        protect: True refuses to delete the bucket; False deletes it with its documents.
        """
        super().__init__("seamless:digitalocean:Store", name, None, opts)
        self._prefix = name
        spaces = digitalocean.SpacesBucket(
            f"{name}-bucket",
            name=bucket or None,  # Pulumi makes one up that ends in seven random digits
            region=region,
            acl="private",
            versioning=digitalocean.SpacesBucketVersioningArgs(enabled=True),
            lifecycle_rules=[
                digitalocean.SpacesBucketLifecycleRuleArgs(
                    id="forget-what-was-replaced",
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
                protect=protect,
                # The provider takes another name for an update, and makes no bucket of that name.
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
        self.urn_in_project = spaces.bucket_urn
        self.register_outputs({"url": self.url, "bucket": self.bucket})

    def accept_uploads_from(self, page: pulumi.Input[str]) -> None:
        """Let the browser of the page at this origin, and of no other, PUT what was signed."""
        digitalocean.SpacesBucketCorsConfiguration(
            f"{self._prefix}-cors",
            bucket=self.bucket,
            region=self.region,
            cors_rules=[
                digitalocean.SpacesBucketCorsConfigurationCorsRuleArgs(
                    allowed_origins=[page],
                    allowed_methods=["PUT"],
                    allowed_headers=["content-type"],
                    max_age_seconds=3600,
                )
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )


def _url(bucket: Any) -> str:
    return f"s3://{bucket}"
