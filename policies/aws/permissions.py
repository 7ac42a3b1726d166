"""AWS-IAM-01: no access keys, no administrator rights, no unconditional web identities."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from policies.aws.documents import conditions, statements
from policies.resource import Resource
from policies.rule import ResourceRule, one_of
from policies.values import listed, mapped

_KEY = "aws:iam/accessKey:AccessKey"
_ROLE = "aws:iam/role:Role"
_POLICIES = tuple(
    f"aws:iam/{name[0].lower()}{name[1:]}:{name}"
    for name in ("Policy", "RolePolicy", "UserPolicy", "GroupPolicy")
)
_ATTACHMENTS = tuple(
    f"aws:iam/{name[0].lower()}{name[1:]}:{name}"
    for name in ("RolePolicyAttachment", "UserPolicyAttachment", "GroupPolicyAttachment")
)
_ARNS = "managedPolicyArns"
_ADMINISTRATOR = ":policy/AdministratorAccess"


def _check(resource: Resource) -> Iterator[str]:
    if resource.type == _KEY:
        yield "An access key never expires."
    elif resource.type in _ATTACHMENTS:
        if str(resource.inputs.get("policyArn")).endswith(_ADMINISTRATOR):
            yield "It attaches AdministratorAccess, which allows everything."
    elif resource.type == _ROLE:
        for inline in listed(resource.inputs.get("inlinePolicies")):
            yield from _too_much(mapped(inline).get("policy"))
        if any(str(arn).endswith(_ADMINISTRATOR) for arn in listed(resource.inputs.get(_ARNS))):
            yield "It has AdministratorAccess, which allows everything."
        yield from _trusts_too_many(resource.inputs.get("assumeRolePolicy"))
    else:
        yield from _too_much(resource.inputs.get("policy"))


def _too_much(document: Any) -> Iterator[str]:
    for statement in statements(document):
        if statement.get("Effect") != "Allow" or "*" not in listed(statement.get("Resource")):
            continue
        actions = [str(action).lower() for action in listed(statement.get("Action"))]
        if "*" in actions or "*:*" in actions:
            yield "A statement allows every action on every resource."
        elif any(fnmatchcase("kms:decrypt", action) for action in actions):
            yield "A statement allows kms:Decrypt with every key."


def _trusts_too_many(document: Any) -> Iterator[str]:
    for statement in statements(document):
        actions = [str(action).lower() for action in listed(statement.get("Action"))]
        if statement.get("Effect") != "Allow" or "sts:assumerolewithwebidentity" not in actions:
            continue
        if not _pins_subject(statement):
            yield "It trusts every token of the identity provider: no condition restricts sub."


def _pins_subject(statement: Mapping[str, Any]) -> bool:
    return any(
        key.endswith(":sub") and "*" not in listed(value) for _, key, value in conditions(statement)
    )


RULE = ResourceRule(
    id="AWS-IAM-01",
    title="No access keys, no administrator rights, and web identities restricted by subject.",
    severity="critical",
    enforcement="mandatory",
    remedy="Use roles instead of access keys, list actions and resources (for kms:Decrypt the ARN "
    "of the key), and restrict the sub claim of web identities in the trust policy.",
    source="AWS FSBP IAM.1, KMS.1, KMS.2; https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html",
    applies=one_of(_KEY, _ROLE, *_POLICIES, *_ATTACHMENTS),
    check=_check,
)
