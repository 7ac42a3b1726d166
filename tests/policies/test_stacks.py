"""Our own stacks under the rules: what they break, and that what one would break is found."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from analysis.plan import Plan, make
from policies.catalogue import RULES
from policies.evaluation import evaluate
from policies.resource import SECRET, UNKNOWN

# The clouds' SDKs warn of their own old names when they are imported.
pytestmark = pytest.mark.filterwarnings("ignore:(aws|digitalocean)[.]:DeprecationWarning")

TODAY = date(2026, 11, 22)
VARIANTS = ["local", "integrated", "split"]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(
    ("config", "protected"),
    [
        ({"environment": "dev"}, False),
        ({"environment": "dev", "protect": "true"}, True),
        ({"environment": "prod"}, True),
        ({"environment": "prod", "protect": "false"}, False),
    ],
)
def test_our_own_stacks_break_no_rule_that_nobody_waived(
    name: str, config: dict[str, str], protected: bool
) -> None:
    """Where data is not protected it is so on purpose, and the advice says so."""
    found = make(name, config).policies

    advice = set() if protected else {("X-01", "advisory")}
    waived = {("DO-DB-02", "advisory")} if name == "integrated" else set()
    assert {(v.id, v.enforcement) for v in found} == advice | waived


def _changed(plan: Plan, name: str, **inputs: Any) -> list[tuple[str, str, str]]:
    """The mandatory violations on a plan with other inputs of one resource."""
    assert name in {resource.name for resource in plan.resources}
    resources = [
        replace(r, inputs={**r.inputs, **inputs}) if r.name == name else r for r in plan.resources
    ]
    found = evaluate(RULES, resources, environment="dev", today=TODAY)
    return [(v.id, v.resource, v.remedy) for v in found if v.enforcement == "mandatory"]


@pytest.mark.parametrize(
    ("token", "inputs", "rule", "remedy"),
    [
        (
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            {"blockPublicPolicy": False},
            "AWS-S3-01",
            "Give the bucket a BucketPublicAccessBlock with blockPublicAcls=true",
        ),
        (
            "aws:rds/instance:Instance",
            {"publiclyAccessible": True},
            "AWS-RDS-01",
            "Set publiclyAccessible to false",
        ),
        (
            "aws:lambda/function:Function",
            {"environment": {"variables": {"INFERENCE_API_KEY": SECRET}}},
            "AWS-LAM-06",
            "Keep the value in Secrets Manager",
        ),
        (
            "aws:iam/rolePolicy:RolePolicy",
            {
                "policy": {
                    "Statement": [
                        {"Effect": "Allow", "Action": "logs:*", "Resource": UNKNOWN},
                        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": ["*"]},
                    ]
                }
            },
            "AWS-IAM-01",
            "Use roles instead of access keys, list actions and resources",
        ),
        (
            "aws:s3/bucketPolicy:BucketPolicy",
            {
                "policy": {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"AWS": "1"},
                            "Action": "s3:*",
                            "Resource": [UNKNOWN],
                        }
                    ]
                }
            },
            "AWS-S3-02",
            "Give the bucket a BucketPolicy that denies s3:*",
        ),
        (
            "aws:sqs/queue:Queue",
            {"visibilityTimeoutSeconds": 30, "redrivePolicy": UNKNOWN},
            "AWS-SQS-03",
            "Set the queue's visibilityTimeoutSeconds to six times",
        ),
    ],
)
def test_a_split_stack_with_a_fault_is_refused_by_the_rule_and_with_its_remedy(
    token: str, inputs: dict[str, Any], rule: str, remedy: str
) -> None:
    """Something public, a key in a variable, too wide a right, http, a queue without patience."""
    plan = make("split")
    name = next(r.name for r in reversed(plan.resources) if r.type == token)

    ((found, _, said),) = _changed(plan, name, **inputs)

    assert found == rule
    assert said.startswith(remedy)


@pytest.mark.parametrize(
    ("token", "inputs", "rule"),
    [
        ("digitalocean:index/spacesBucket:SpacesBucket", {"acl": "public-read"}, "DO-SP-01"),
        (
            "digitalocean:index/spacesKey:SpacesKey",
            {"grants": [{"bucket": "", "permission": "fullaccess"}]},
            "DO-SP-05",
        ),
        (
            "pulumi-python:dynamic/digitalocean:Function",
            {"environment": {"DATABASE_HOST": "db.example", "DATABASE_SSLMODE": "disable"}},
            "DO-DB-07",
        ),
        (
            "pulumi-python:dynamic/digitalocean:Function",
            {"environment": {"INFERENCE_API_KEY": "sk-do-0123456789abcdef0123"}},
            "X-02",
        ),
    ],
)
def test_an_integrated_stack_with_a_fault_is_refused(
    token: str, inputs: dict[str, Any], rule: str
) -> None:
    """A public bucket, a key to everything, a server that nobody checks, a plain key."""
    plan = make("integrated")
    name = next(r.name for r in plan.resources if r.type == token)

    assert [found for found, _, _ in _changed(plan, name, **inputs)] == [rule]
