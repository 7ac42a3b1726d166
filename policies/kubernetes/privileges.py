"""K8S-06: no container is privileged."""

from collections.abc import Iterator

from policies.kubernetes.pods import containers, makes_pods, named, pod_specs
from policies.resource import Resource
from policies.rule import ResourceRule
from policies.values import mapped


def _check(resource: Resource) -> Iterator[str]:
    for spec in pod_specs(resource):
        for container in containers(spec):
            if mapped(container.get("securityContext")).get("privileged") is True:
                yield f"{named(container)} is privileged: it has root access to its node."


RULE = ResourceRule(
    id="K8S-06",
    title="No container is privileged.",
    severity="critical",
    enforcement="mandatory",
    remedy="Remove privileged: true; request the one device or capability that is needed.",
    source="https://kubernetes.io/docs/concepts/security/pod-security-standards/; CKV_K8S_16",
    applies=makes_pods,
    check=_check,
)
