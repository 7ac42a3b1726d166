"""DO-SP-01: Spaces buckets and objects are private."""

from collections.abc import Iterator

from policies.resource import Hidden, Resource
from policies.rule import ResourceRule, one_of


def _check(resource: Resource) -> Iterator[str]:
    acl = resource.inputs.get("acl", "private")  # DigitalOcean's default
    if acl != "private" and not isinstance(acl, Hidden):
        yield f"acl is {acl}."


RULE = ResourceRule(
    id="DO-SP-01",
    title="Every Spaces bucket and object is private.",
    severity="critical",
    enforcement="mandatory",
    remedy='Set acl to "private"; use presigned URLs for reading.',
    source="CKV_DIO_3; Trivy DIG-0006; https://docs.digitalocean.com/products/spaces/how-to/set-file-permissions/",
    applies=one_of(
        "digitalocean:index/spacesBucket:SpacesBucket",
        "digitalocean:index/spacesBucketObject:SpacesBucketObject",
    ),
    check=_check,
)
