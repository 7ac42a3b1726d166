"""Our stacks meet the policies, and a fault in a stack is found."""

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
def test_our_stacks_have_only_advice_and_waived_violations(
    name: str, config: dict[str, str], protected: bool
) -> None:
    found = make(name, config).policies

    advice = set() if protected else {("X-01", "advisory")}
    waived = {("DO-DB-02", "advisory")} if name == "integrated" else set()
    assert {(v.id, v.enforcement) for v in found} == advice | waived


def _changed(plan: Plan, name: str, **inputs: Any) -> list[tuple[str, str]]:
    """The mandatory violations on a plan with other inputs of one resource."""
    assert name in {resource.name for resource in plan.resources}
    resources = [
        replace(r, inputs={**r.inputs, **inputs}) if r.name == name else r for r in plan.resources
    ]
    found = evaluate(RULES, resources, environment="dev", today=TODAY)
    return [(v.id, v.remedy) for v in found if v.enforcement == "mandatory"]


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
                    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": [UNKNOWN]}]
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
def test_a_fault_in_the_split_stack_is_refused_with_the_remedy_of_the_rule(
    token: str, inputs: dict[str, Any], rule: str, remedy: str
) -> None:
    plan = make("split")
    name = next(r.name for r in reversed(plan.resources) if r.type == token)

    ((found, found_remedy),) = _changed(plan, name, **inputs)

    assert found == rule
    assert found_remedy.startswith(remedy)


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
def test_a_fault_in_the_integrated_stack_is_refused(
    token: str, inputs: dict[str, Any], rule: str
) -> None:
    plan = make("integrated")
    name = next(r.name for r in plan.resources if r.type == token)

    assert [found for found, _ in _changed(plan, name, **inputs)] == [rule]
