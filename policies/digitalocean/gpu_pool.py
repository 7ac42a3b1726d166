"""DO-K8-04: a pool of GPU nodes has a limit, and somebody answers while it has no node."""

from collections.abc import Iterator

from policies.rule import ResourceRule, one_of
from policies.values import mapped, readable
from resources import Hidden, Resource

SPILLS_OVER = "seamless.dev/spills-over-to"
"""Label of a pool: the rung that answers while it cannot."""


def _check(pool: Resource) -> Iterator[str]:
    size = pool.inputs.get("size")
    if not (readable(size) or "").startswith("gpu-"):
        return
    grows, most = pool.inputs.get("autoScale"), pool.inputs.get("maxNodes")
    if grows is not True and not isinstance(grows, Hidden):
        yield "It does not grow and shrink: autoScale is not true."
    if most is None:
        yield "Nothing caps what it may cost: it has no maxNodes."
    labels, least = pool.inputs.get("labels"), pool.inputs.get("minNodes", 0)
    if labels is None:
        yield "Its nodes have no label to place pods by."
    alone = isinstance(least, int | float) and least < 2
    if alone and not isinstance(labels, Hidden) and SPILLS_OVER not in mapped(labels):
        yield f"Nobody answers while a node fails: minNodes is {least:g}, nothing spills over."


RULE = ResourceRule(
    id="DO-K8-04",
    title="A GPU pool grows to a cap, is labelled, and has two nodes or a rung to spill over to.",
    severity="high",
    enforcement="mandatory in prod",
    remedy="Set autoScale, maxNodes and labels; then two nodes (pulumi config set "
    "gpu_minimum 2) or a fallback (pulumi config set fallback serverless). The vendor's "
    "taint is set by DOKS.",
    source="https://docs.digitalocean.com/products/kubernetes/how-to/autoscale/ (2025-06)",
    applies=one_of("digitalocean:index/kubernetesNodePool:KubernetesNodePool"),
    check=_check,
)
