"""DO-K8-04: a GPU node pool has a maximum, and requests have an alternative to its one node."""

from collections.abc import Iterator

from policies.resource import Hidden, Resource
from policies.rule import ResourceRule, one_of
from policies.values import mapped, readable

SPILLS_OVER = "seamless.dev/spills-over-to"
"""Label of a pool: the inference mode that takes over while the pool is unavailable."""


def _check(pool: Resource) -> Iterator[str]:
    size = pool.inputs.get("size")
    if not (readable(size) or "").startswith("gpu-"):
        return
    grows, most = pool.inputs.get("autoScale"), pool.inputs.get("maxNodes")
    if grows is not True and not isinstance(grows, Hidden):
        yield "autoScale is not true."
    if most is None:
        yield "It has no maxNodes, so its cost is unlimited."
    labels, least = pool.inputs.get("labels"), pool.inputs.get("minNodes", 0)
    if labels is None:
        yield "Its nodes have no label for scheduling."
    alone = isinstance(least, int | float) and least < 2
    if alone and not isinstance(labels, Hidden) and SPILLS_OVER not in mapped(labels):
        yield f"One failed node is an outage: minNodes is {least:g}, and there is no fallback."


RULE = ResourceRule(
    id="DO-K8-04",
    title="A GPU pool autoscales to a maximum, has labels, and has two nodes or a fallback.",
    severity="high",
    enforcement="mandatory in prod",
    remedy="Set autoScale, maxNodes and labels; then two nodes (pulumi config set "
    "gpu_minimum 2) or a fallback (pulumi config set fallback serverless). DOKS sets the GPU "
    "vendor's taint.",
    source="https://docs.digitalocean.com/products/kubernetes/how-to/autoscale/ (2025-06)",
    applies=one_of("digitalocean:index/kubernetesNodePool:KubernetesNodePool"),
    check=_check,
)
