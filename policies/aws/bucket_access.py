"""AWS-S3-01: public access to buckets is blocked."""

from collections.abc import Iterator, Sequence

from policies.resource import Hidden, Resource
from policies.rule import ResourceViolation, StackRule, may_refer

BUCKETS = frozenset({"aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2"})
_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
_SWITCHES = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _check(resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
    blocks = [resource for resource in resources if resource.type == _BLOCK]
    for bucket in resources:
        if bucket.type not in BUCKETS:
            continue
        own = [block for block in blocks if may_refer(block, "bucket", bucket)]
        if not own:
            yield ResourceViolation(
                resource=bucket, message="The bucket has no public access block."
            )
        for block in own:
            off = [
                switch
                for switch in _SWITCHES
                if block.inputs.get(switch) is not True
                and not isinstance(block.inputs.get(switch), Hidden)
            ]
            if off:
                yield ResourceViolation(
                    resource=bucket,
                    message=f"Public access block {block.name} does not set {', '.join(off)}.",
                )


RULE = StackRule(
    id="AWS-S3-01",
    title="Every bucket has a public access block with all four switches on.",
    severity="critical",
    enforcement="mandatory",
    remedy="Give the bucket a BucketPublicAccessBlock with "
    + ", ".join(f"{switch}=true" for switch in _SWITCHES)
    + ".",
    source="AWS FSBP S3.1, S3.8; CIS AWS 3.1.4; https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html",
    check=_check,
)
