"""K8S-02: containers do not run as root."""

from collections.abc import Iterator
from typing import Any

from policies.kubernetes.pods import containers, makes_pods, named, pod_specs
from policies.resource import Hidden, Resource
from policies.rule import ResourceRule
from policies.values import mapped


def _check(resource: Resource) -> Iterator[str]:
    for spec in pod_specs(resource):
        for container in containers(spec):
            must_not, user = (
                _said("runAsNonRoot", container, spec),
                _said("runAsUser", container, spec),
            )
            if user == 0:
                yield f"{named(container)} runs as user 0."
            elif must_not is not True and not isinstance(must_not, Hidden):
                yield f"{named(container)} may run as root: runAsNonRoot is not true."


def _said(key: str, container: Any, spec: Any) -> Any:
    """A setting of the container's security context, else of the pod's."""
    for holder in (container, spec):
        context = holder.get("securityContext")
        if isinstance(context, Hidden):
            return context
        value = mapped(context).get(key)
        if value is not None:
            return value
    return None


RULE = ResourceRule(
    id="K8S-02",
    title="No container runs as root.",
    severity="high",
    enforcement="mandatory",
    remedy="Set runAsNonRoot: true and a runAsUser above 0 in the pod's securityContext.",
    source="https://kubernetes.io/docs/concepts/security/pod-security-standards/; CKV_K8S_6",
    applies=makes_pods,
    check=_check,
)
