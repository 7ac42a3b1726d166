"""DO-DB-02: a database cluster accepts only listed sources."""

from collections.abc import Iterator, Sequence

from policies.resource import Hidden, Resource
from policies.rule import ResourceViolation, StackRule, may_refer
from policies.values import listed, mapped

_CLUSTER = "digitalocean:index/databaseCluster:DatabaseCluster"
_FIREWALL = "digitalocean:index/databaseFirewall:DatabaseFirewall"
_ANYWHERE = ("0.0.0.0/0", "::/0")


def _check(resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
    firewalls = [resource for resource in resources if resource.type == _FIREWALL]
    for cluster in resources:
        if cluster.type != _CLUSTER:
            continue
        own = [firewall for firewall in firewalls if may_refer(firewall, "clusterId", cluster)]
        if not own:
            yield ResourceViolation(
                resource=cluster,
                message="It has no firewall: any address can connect.",
            )
        for firewall in own:
            rules = firewall.inputs.get("rules")
            values = [mapped(rule).get("value") for rule in listed(rules)]
            if any(value in _ANYWHERE for value in values):
                yield ResourceViolation(
                    resource=cluster, message=f"Firewall {firewall.name} admits every address."
                )
            elif not values and not isinstance(rules, Hidden):
                yield ResourceViolation(
                    resource=cluster, message=f"Firewall {firewall.name} is empty."
                )


RULE = StackRule(
    id="DO-DB-02",
    title="Every database cluster has a firewall that lists its allowed sources.",
    severity="critical",
    enforcement="mandatory",
    remedy="Give the cluster a DatabaseFirewall with the droplets, apps, tags or addresses that "
    "need it.",
    source="https://docs.digitalocean.com/products/databases/postgresql/how-to/secure/",
    check=_check,
)
