"""DO-SP-05: a key opens the bucket that it is for, and no other."""

from collections.abc import Iterator

from policies.rule import ResourceRule, one_of
from policies.values import listed, mapped, readable
from resources import Resource


def _check(key: Resource) -> Iterator[str]:
    grants = key.inputs.get("grants")
    if not grants:
        yield "It has no grant, so nobody can say what it is for."
    for grant in map(mapped, listed(grants)):
        permission, bucket = grant.get("permission"), grant.get("bucket")
        if permission == "fullaccess":
            yield "A grant gives fullaccess to every bucket of the account."
        elif readable(permission) and bucket in (None, "", "*"):
            yield f"A grant gives {permission} without naming a bucket."


RULE = ResourceRule(
    id="DO-SP-05",
    title="A Spaces key is granted per bucket, never fullaccess.",
    severity="critical",
    enforcement="mandatory",
    remedy='Grant "read" or "readwrite" on the one bucket by its name.',
    source="https://docs.digitalocean.com/products/spaces/how-to/manage-access/",
    applies=one_of("digitalocean:index/spacesKey:SpacesKey"),
    check=_check,
)
