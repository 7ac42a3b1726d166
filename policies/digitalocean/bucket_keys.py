"""DO-SP-05: a Spaces key is limited to one bucket."""

from collections.abc import Iterator

from policies.resource import Resource
from policies.rule import ResourceRule, one_of
from policies.values import listed, mapped, readable


def _check(key: Resource) -> Iterator[str]:
    grants = key.inputs.get("grants")
    if not grants:
        yield "It has no grants, so its permissions are not stated."
    for grant in map(mapped, listed(grants)):
        permission, bucket = grant.get("permission"), grant.get("bucket")
        if permission == "fullaccess":
            yield "A grant gives fullaccess to every bucket of the account."
        elif readable(permission) and bucket in (None, "", "*"):
            yield f"A grant gives {permission} without naming a bucket."


RULE = ResourceRule(
    id="DO-SP-05",
    title="A Spaces key has grants for single buckets, never fullaccess.",
    severity="critical",
    enforcement="mandatory",
    remedy='Grant "read" or "readwrite" on one bucket by its name.',
    source="https://docs.digitalocean.com/products/spaces/how-to/manage-access/",
    applies=one_of("digitalocean:index/spacesKey:SpacesKey"),
    check=_check,
)
