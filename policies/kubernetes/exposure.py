"""K8S-16: vLLM is not reachable from outside the cluster."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policies.kubernetes.pods import containers, makes_pods, pod_specs, serves_vllm
from policies.resource import Hidden, Resource
from policies.rule import ResourceViolation, StackRule
from policies.values import mapped

_SERVICE = "kubernetes:core/v1:Service"
_OUTSIDE = ("LoadBalancer", "NodePort")


def _check(resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
    labels = [found for resource in resources for found in _vllm_labels(resource)]
    for service in resources:
        if service.type != _SERVICE:
            continue
        spec = mapped(service.inputs.get("spec"))
        kind, selector = spec.get("type"), spec.get("selector")
        if kind in _OUTSIDE and any(_selects(selector, some) for some in labels):
            message = f"A {kind} exposes vLLM, whose key protects only /v1."
            yield ResourceViolation(resource=service, message=message)


def _vllm_labels(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """The pod labels of a resource that runs vLLM."""
    if not makes_pods(resource.type):
        return
    if any(serves_vllm(c) for spec in pod_specs(resource) for c in containers(spec)):
        spec = mapped(resource.inputs.get("spec"))
        group = mapped(spec.get("leaderWorkerTemplate"))
        for holder in (spec.get("template"), group.get("leaderTemplate"), resource.inputs):
            labels = mapped(mapped(mapped(holder).get("metadata")).get("labels"))
            if labels:
                yield labels
                return


def _selects(selector: Any, labels: Mapping[str, Any]) -> bool:
    wanted = mapped(selector)
    return bool(wanted) and all(
        labels.get(key) == value and not isinstance(value, Hidden) for key, value in wanted.items()
    )


RULE = StackRule(
    id="K8S-16",
    title="No Service exposes vLLM outside the cluster.",
    severity="critical",
    enforcement="mandatory",
    remedy="Make the Service a ClusterIP, and expose a gateway that allows only the paths below "
    "/v1.",
    source="https://docs.vllm.ai/en/stable/usage/security/ (2026)",
    check=_check,
)
