"""Our stacks meet the policies, and a fault in a stack is found."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from analysis.plan import make
from policies.catalogue import RULES
from policies.evaluation import evaluate
from policies.resource import SECRET, UNKNOWN
from tests.support.plans import plan

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


@pytest.mark.parametrize(
    ("stack", "kind", "inputs", "rule"),
    [
        ("split", "BucketPublicAccessBlock", {"blockPublicPolicy": False}, "AWS-S3-01"),
        ("split", "Instance", {"publiclyAccessible": True}, "AWS-RDS-01"),
        ("split", "Function", {"environment": {"variables": {"API_KEY": SECRET}}}, "AWS-LAM-06"),
        (
            "split",
            "RolePolicy",
            {
                "policy": {
                    "Statement": [
                        {"Effect": "Allow", "Action": "logs:*", "Resource": UNKNOWN},
                        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": ["*"]},
                    ]
                }
            },
            "AWS-IAM-01",
        ),
        (
            "split",
            "BucketPolicy",
            {"policy": {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}},
            "AWS-S3-02",
        ),
        (
            "split",
            "Queue",
            {"visibilityTimeoutSeconds": 30, "redrivePolicy": UNKNOWN},
            "AWS-SQS-03",
        ),
        ("integrated", "SpacesBucket", {"acl": "public-read"}, "DO-SP-01"),
        (
            "integrated",
            "SpacesKey",
            {"grants": [{"bucket": "", "permission": "fullaccess"}]},
            "DO-SP-05",
        ),
        (
            "integrated",
            "Function",
            {"environment": {"DATABASE_HOST": "db.example", "DATABASE_SSLMODE": "disable"}},
            "DO-DB-07",
        ),
        (
            "integrated",
            "Function",
            {"environment": {"INFERENCE_API_KEY": "sk-do-0123456789abcdef0123"}},
            "X-02",
        ),
    ],
)
def test_a_fault_in_a_stack_is_refused_by_its_rule(
    stack: str, kind: str, inputs: dict[str, Any], rule: str
) -> None:
    resources = plan(stack).resources
    clouds = ("aws:", "digitalocean:", "pulumi-python:")
    matches = [r.type.startswith(clouds) and r.type.endswith(f":{kind}") for r in resources]
    at = len(matches) - 1 - matches[::-1].index(True)
    changed = replace(resources[at], inputs={**resources[at].inputs, **inputs})

    found = evaluate(
        RULES, [*resources[:at], changed, *resources[at + 1 :]], environment="dev", today=TODAY
    )

    remedies = {each.id: each.remedy for each in RULES}
    assert [(v.id, v.remedy) for v in found if v.enforcement == "mandatory"] == [
        (rule, remedies[rule])
    ]
