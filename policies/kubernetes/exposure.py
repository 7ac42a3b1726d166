"""K8S-16: nobody outside the cluster reaches vLLM itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policies.kubernetes.pods import containers, makes_pods, pod_specs, serves_vllm
from policies.rule import Breach, StackRule
from policies.values import mapped
from resources import Hidden, Resource

_SERVICE = "kubernetes:core/v1:Service"
_OUTSIDE = ("LoadBalancer", "NodePort")


def _check(resources: Sequence[Resource]) -> Iterator[Breach]:
    labels = [found for resource in resources for found in _vllm_labels(resource)]
    for service in resources:
        if service.type != _SERVICE:
            continue
        spec = mapped(service.inputs.get("spec"))
        kind, selector = spec.get("type"), spec.get("selector")
        if kind in _OUTSIDE and any(_selects(selector, some) for some in labels):
            message = f"A {kind} hands callers from outside to vLLM, whose key guards /v1 alone."
            yield Breach(resource=service, message=message)


def _vllm_labels(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """The labels of the pods of a resource, when vLLM is in them."""
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
    title="No Service that is reached from outside leads to vLLM itself.",
    severity="critical",
    enforcement="mandatory",
    remedy="Make the Service a ClusterIP, and let callers in by a gateway that allows the paths "
    "below /v1 and no others.",
    source="https://docs.vllm.ai/en/stable/usage/security/ (2026)",
    check=_check,
)
