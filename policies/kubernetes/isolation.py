"""K8S-13: network traffic of pods is denied by default."""

from collections.abc import Iterator, Sequence
from typing import Any

from policies.kubernetes.pods import makes_pods
from policies.resource import UNKNOWN, Hidden, Resource
from policies.rule import ResourceViolation, StackRule
from policies.values import listed, mapped

_POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_BOTH = ("Ingress", "Egress")


def _check(resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
    closing = [r for r in resources if r.type == _POLICY and _may_close(r)]
    for resource in resources:
        if makes_pods(resource.type) and not any(_same_place(resource, c) for c in closing):
            place = _place(resource)
            message = (
                f"Namespace {place} has no default-deny NetworkPolicy."
                if place
                else "Its namespace has no default-deny NetworkPolicy."
            )
            yield ResourceViolation(resource=resource, message=message)


def _may_close(policy: Resource) -> bool:
    """True for a policy that selects every pod and allows no traffic, or may do so."""
    spec = policy.inputs.get("spec")
    if isinstance(spec, Hidden):
        return True
    rules = mapped(spec)
    selector, types = rules.get("podSelector"), rules.get("policyTypes")
    every_pod = isinstance(selector, Hidden) or (selector is not None and not mapped(selector))
    both = isinstance(types, Hidden) or all(
        kind in listed(types) or UNKNOWN in listed(types) for kind in _BOTH
    )
    return every_pod and both and not rules.get("ingress") and not rules.get("egress")


def _same_place(resource: Resource, policy: Resource) -> bool:
    """True if both are in one namespace, or if that is unknown."""
    one, other = resource.uses.get("metadata"), policy.uses.get("metadata")
    if one and other:
        return not set(one).isdisjoint(other)
    places = (_place(resource), _place(policy))
    return any(isinstance(place, Hidden) for place in places) or places[0] == places[1]


def _place(resource: Resource) -> Any:
    metadata = resource.inputs.get("metadata")
    return metadata if isinstance(metadata, Hidden) else mapped(metadata).get("namespace")


RULE = StackRule(
    id="K8S-13",
    title="Every namespace with pods denies traffic by default.",
    severity="high",
    enforcement="mandatory",
    remedy="Add a NetworkPolicy with podSelector: {}, both policyTypes and no rules to the "
    "namespace, and one more policy for each connection that is needed.",
    source="https://kubernetes.io/docs/concepts/services-networking/network-policies/; CKV2_K8S_6",
    check=_check,
)
