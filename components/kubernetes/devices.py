"""GPUs as a pod asks for them: an amount of a resource, or a claim on devices."""

from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.kubernetes.pods import Manifest

_CLAIM = "gpu"


@dataclass(frozen=True, kw_only=True)
class Devices:
    """What asks for the GPUs.

    Attributes:
        amounts: Among a container's requests and limits.
        claims: Beside them.
        pod: In the pod's spec.
    """

    amounts: Manifest = field(default_factory=dict)
    claims: Manifest = field(default_factory=dict)
    pod: Manifest = field(default_factory=dict)


def devices(
    name: str,
    *,
    cluster: Cluster,
    gpus: int,
    namespace: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> Devices:
    """Ask for so many GPUs as the cluster hands them out; a claim needs a template to be made."""
    if cluster.gpu_device_class is None:
        return Devices(amounts={cluster.gpu_resource: str(gpus)})
    wanted = {"deviceClassName": cluster.gpu_device_class, "count": gpus}
    template = kubernetes.resource.v1.ResourceClaimTemplate(
        name,
        metadata={"namespace": namespace},
        spec={"spec": {"devices": {"requests": [{"name": _CLAIM, "exactly": wanted}]}}},
        opts=opts,
    )
    claim = {"name": _CLAIM, "resourceClaimTemplateName": template.metadata["name"]}
    return Devices(claims={"claims": [{"name": _CLAIM}]}, pod={"resourceClaims": [claim]})
