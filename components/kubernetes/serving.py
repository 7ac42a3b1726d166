"""What a model server is asked to serve, and with how much."""

from dataclasses import dataclass

from components.gpu import Vendor
from components.kubernetes.images import SERVERS, Image


@dataclass(frozen=True, kw_only=True)
class Serving:
    """One model on one shape of replica.

    Attributes:
        model: Logical name; what clients ask for, whoever serves it.
        repository: Of the weights at Hugging Face.
        revision: Commit of the weights; None takes the newest.
        weights_gib: Size of the weights on disk.
        context_tokens: Prompt and answer together fit in so many tokens.
        concurrency: Requests that one replica works on at a time; more wait.
        batched_tokens: Tokens of one step; None is vLLM's default.
        vendor: Of the GPUs.
        device_group: Number of the group that may open GPUs on a node; 0 asks for none.
        gpus: Of one node; tensor parallelism runs over them.
        nodes: Of one replica; pipeline parallelism runs over them.
        memory_utilization: Share of GPU memory that vLLM takes.
        minimum: Replicas that always run; 0 lets the last one go when nothing waits.
        maximum: Replicas that may run.
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
        """Of the volume that holds the weights: room for the next model beside this one."""
        return max(50, 2 * self.weights_gib + 10)


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What a cluster may have beside a model.

    Attributes:
        headroom: Replicas for which a place is kept warm, and paid.
        notebook_people: Who may work in notebooks at the same time; 0 installs none.
        prometheus: URL of one that is there already; empty installs one.
    """

    headroom: int = 0
    notebook_people: int = 0
    prometheus: str = ""


NOTHING = Extras()
