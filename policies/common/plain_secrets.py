"""X-02: secrets are marked as secret, so state and logs do not show them."""

from collections.abc import Iterator

from policies.resource import Resource
from policies.rule import ResourceRule
from policies.secrets import is_reference, kind_of_secret, names_secret
from policies.values import leaves, readable


def _check(resource: Resource) -> Iterator[str]:
    # The message names the property and never contains its value.
    for path, key, value in leaves(resource.inputs):
        text = readable(value)
        if text is None or is_reference(text):
            continue
        if kind := kind_of_secret(key, text):
            yield f"{path} looks like {kind} and is not marked as secret."
        elif names_secret(key):
            yield f"{path} is named like a secret and is not marked as secret."


RULE = ResourceRule(
    id="X-02",
    title="Every secret in a property is marked as secret.",
    severity="critical",
    enforcement="mandatory",
    remedy="Take the value from secret config (pulumi config set --secret) or from a resource that "
    "marks it, or wrap it in pulumi.Output.secret. Revoke a key that was committed.",
    source="CKV_SECRET family; https://www.pulumi.com/docs/iac/concepts/secrets/",
    applies=lambda _: True,
    check=_check,
)
