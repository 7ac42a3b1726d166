"""The model that a cluster serves, and the cluster's options."""

from dataclasses import dataclass

from components.kubernetes.base.images import SERVERS, Image
from sizing.machines import Vendor


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model and the shape of its replicas.

    Attributes:
        model: Logical name, which clients ask for; the same whatever repository it comes from.
        repository: Of the weights at Hugging Face.
        revision: Commit of the weights; None takes the newest.
        weights_gib: Size of the weights on disk in GiB.
        context_tokens: Limit of prompt and answer together.
        concurrency: Requests that one replica works on at a time; more wait.
        batched_tokens: Tokens of one step; None is vLLM's default.
        vendor: Of the GPUs.
        device_group: Numeric group that may open GPU devices on a node; 0 adds none.
        gpus: Per node; tensor parallelism runs over them.
        nodes: Per replica; pipeline parallelism runs over them.
        memory_utilization: Share of GPU memory that vLLM takes.
        minimum: Fewest replicas; 0 stops the last one when nothing waits.
        maximum: Most replicas.
    """

    model: str
    repository: str
    revision: str | None
    weights_gib: int
    context_tokens: int
    concurrency: int
    batched_tokens: int | None = None
    vendor: Vendor = "nvidia"
    device_group: int = 0
    gpus: int
    nodes: int = 1
    memory_utilization: float = 0.9
    minimum: int = 1
    maximum: int = 1

    @property
    def image(self) -> Image:
        """Of the server, for these GPUs."""
        return SERVERS[self.vendor]

    @property
    def volume_gib(self) -> int:
        """Size of the volume for the weights: enough for this model and its successor."""
        return max(50, 2 * self.weights_gib + 10)


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Optional parts of a cluster.

    Attributes:
        headroom: Replicas for which a warm node is kept.
        headroom_nodes: Nodes that are paid for it beside those of the replicas that always run.
        notebook_people: People who may use notebooks at the same time; 0 installs none.
        prometheus: URL of an existing Prometheus; empty installs one.
    """

    headroom: int = 0
    headroom_nodes: int = 0
    notebook_people: int = 0
    prometheus: str = ""


DEFAULT_OPTIONS = ClusterOptions()
