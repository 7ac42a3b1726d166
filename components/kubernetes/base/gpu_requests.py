"""How a pod requests GPUs: as an extended resource, or by a claim on devices."""

from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.kubernetes.base.pods import Manifest

_CLAIM = "gpu"


@dataclass(frozen=True, kw_only=True)
class GpuRequest:
    """A request for GPUs, as parts of a pod.

    Attributes:
        amounts: Among the requests and limits of the container.
        claims: Beside the requests and limits of the container.
        pod: Fields of the pod's spec: its claims, and its placement on GPU nodes.
    """

    amounts: Manifest = field(default_factory=dict)
    claims: Manifest = field(default_factory=dict)
    pod: Manifest

    def added_to(self, resources: Manifest) -> Manifest:
        """The container's resources with the GPUs."""
        amounts = {kind: {**resources[kind], **self.amounts} for kind in ("requests", "limits")}
        return {**amounts, **self.claims}


def request_gpus(
    name: str,
    count: int,
    *,
    cluster: Cluster,
    namespace: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> GpuRequest:
    """Request GPUs the way the cluster offers them; a claim creates a ResourceClaimTemplate."""
    if cluster.gpu_device_class is None:
        return GpuRequest(amounts={cluster.gpu_resource: str(count)}, pod=gpu_placement(cluster))
    exactly = {"deviceClassName": cluster.gpu_device_class, "count": count}
    claim_template = kubernetes.resource.v1.ResourceClaimTemplate(
        name,
        metadata={"namespace": namespace},
        spec={"spec": {"devices": {"requests": [{"name": _CLAIM, "exactly": exactly}]}}},
        opts=opts,
    )
    claim = {"name": _CLAIM, "resourceClaimTemplateName": claim_template.metadata["name"]}
    return GpuRequest(
        claims={"claims": [{"name": _CLAIM}]},
        pod={"resourceClaims": [claim], **gpu_placement(cluster)},
    )


def gpu_placement(cluster: Cluster) -> Manifest:
    """Fields of a pod's spec that place it on the cluster's GPU nodes."""
    return {
        "nodeSelector": dict(cluster.gpu_labels),
        "tolerations": [{"key": cluster.gpu_taint, "operator": "Exists", "effect": "NoSchedule"}],
    }
