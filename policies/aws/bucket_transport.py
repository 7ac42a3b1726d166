"""AWS-S3-02: buckets refuse requests without TLS."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policies.aws.bucket_access import BUCKETS
from policies.aws.documents import conditions, is_everybody, statements
from policies.resource import Hidden, Resource
from policies.rule import ResourceViolation, StackRule, may_refer
from policies.values import is_undecided, listed, mapped

_POLICY = "aws:s3/bucketPolicy:BucketPolicy"


def _check(resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
    policies = [resource for resource in resources if resource.type == _POLICY]
    for bucket in resources:
        if bucket.type not in BUCKETS:
            continue
        own = [policy for policy in policies if may_refer(policy, "bucket", bucket)]
        if not own:
            yield ResourceViolation(
                resource=bucket, message="It has no bucket policy, so it accepts HTTP."
            )
        elif not any(_refuses_plain_http(policy.inputs.get("policy")) for policy in own):
            yield ResourceViolation(
                resource=bucket, message=f"Bucket policy {own[0].name} does not deny HTTP."
            )


def _refuses_plain_http(document: Any) -> bool:
    """True also if a deciding value is unknown. The resource of a statement does not decide."""
    parts = mapped(document).get("Statement")
    if any(isinstance(part, Hidden) for part in (document, parts, *listed(parts))):
        return True
    return any(
        _denies_http(statement) or is_undecided({**statement, "Resource": None})
        for statement in statements(document)
    )


def _denies_http(statement: Mapping[str, Any]) -> bool:
    return (
        statement.get("Effect") == "Deny"
        and is_everybody(statement.get("Principal"))
        and any(action in ("s3:*", "*") for action in listed(statement.get("Action")))
        and any(
            operator in ("bool", "boolifexists")
            and key == "aws:securetransport"
            and "false" in [str(item).lower() for item in listed(value)]
            for operator, key, value in conditions(statement)
        )
    )


RULE = StackRule(
    id="AWS-S3-02",
    title="Every bucket refuses requests without TLS.",
    severity="high",
    enforcement="mandatory",
    remedy='Give the bucket a BucketPolicy that denies s3:* to everyone ("Principal": "*") if '
    "aws:SecureTransport is false.",
    source="AWS FSBP S3.5; CIS AWS 3.1.1; https://docs.aws.amazon.com/securityhub/latest/userguide/s3-controls.html",
    check=_check,
)
