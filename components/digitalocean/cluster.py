"""Kubernetes with GPU nodes at DigitalOcean: DOKS.

What DOKS manages is left to it: GPU drivers, device plugins, their taints and labels, the cluster
autoscaler, the network (docs.digitalocean.com/products/kubernetes, 2026-08).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_digitalocean as digitalocean
import pulumi_kubernetes as kubernetes

from components.contracts import Entrance
from components.gpu import Machine, gpu
from components.kubernetes.sharing import GpuPlatform, Sharing

VERSION = "1.35"
"""Minor version of a new cluster; DOKS takes its newest patch, and upgrades that by itself."""

SYSTEM_SIZE = "s-2vcpu-4gb"
"""Of the nodes without a GPU: gateway, downloads, DOKS' own pods."""
SYSTEM_NODES = 2
"""As DigitalOcean advises (docs, add-node-pools, 2025-08)."""

CLUSTER_SUBNET, SERVICE_SUBNET = "10.244.0.0/16", "10.245.0.0/19"
"""Of pods and services; naming them makes the cluster VPC-native, which cannot be had later."""

POOL = "seamless.dev/pool"
"""Our own label of a node pool; the full list of DOKS' `gpu-model` values is not published."""

SPILLS_OVER = "seamless.dev/spills-over-to"
"""Our own label of the GPU pool: the rung that answers while it cannot."""

GPU_PLATFORM = GpuPlatform(product="DOKS", own_plugin=False, partitions=True, dra=True)

WEIGHTS_GIB = 500
"""Of the share that holds the weights."""


class Cluster(pulumi.ComponentResource):
    """A VPC-native cluster with a pool of CPU nodes and one of GPU nodes that grows and shrinks.

    It satisfies `components.contracts.Cluster`. The functions have no VPC, so the entrance is a
    public balancer; what guards the model there is TLS, a list of paths, and the key.
    """

    provider: pulumi.ProviderResource
    gpu_labels: Mapping[str, str]
    gpu_taint: str
    gpu_resource: str
    gpu_device_class: str | None
    weights_volume: Mapping[str, Any]
    entrance: Entrance
    add_ons: Mapping[str, Mapping[str, Any]]
    urn_in_project: pulumi.Output[str]
    """What a project knows the cluster by."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        machine: Machine,
        sharing: Sharing,
        minimum: int,
        maximum: int,
        spills_over_to: str | None,
        version: str,
        tags: Sequence[str],
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        machine: What each GPU node is.
        sharing: How its GPUs are handed out.
        minimum: GPU nodes that always run.
        maximum: GPU nodes that may run.
        spills_over_to: Rung that answers while no GPU node does; None is nobody.
        version: Of Kubernetes, `1.35`; empty takes ours.
        protect: True keeps a second control plane, and refuses to delete the weights.
        """
        super().__init__("seamless:digitalocean:Cluster", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        vendor = gpu(machine.gpu).vendor
        vpc = digitalocean.Vpc(name, region=region, opts=child)
        cluster = digitalocean.KubernetesCluster(
            name,
            region=region,
            version=version or VERSION,
            vpc_uuid=vpc.id,
            cluster_subnet=CLUSTER_SUBNET,
            service_subnet=SERVICE_SUBNET,
            ha=protect,
            auto_upgrade=True,
            surge_upgrade=True,
            maintenance_policy={"day": "sunday", "start_time": "04:00"},
            # Balancers and volumes that the cluster made would outlive it, and be billed.
            destroy_all_associated_resources=not protect,
            **_dra_driver(vendor) if sharing.mode == "dra" else {},
            cluster_autoscaler_configurations=[
                # A GPU node is dear and slow to come back: ten minutes without work, then it goes.
                {"scale_down_unneeded_time": "10m0s", "scale_down_utilization_threshold": 0.5}
            ],
            node_pool={
                "name": "system",
                "size": SYSTEM_SIZE,
                "node_count": SYSTEM_NODES,
                "labels": {POOL: "system"},
                "tags": list(tags),
            },
            tags=list(tags),
            # DOKS upgrades by itself, so what is there is newer than what was asked for.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["version"]),
        )
        digitalocean.KubernetesNodePool(
            f"{name}-gpu",
            cluster_id=cluster.id,
            size=machine.slug,
            auto_scale=True,
            min_nodes=minimum,
            max_nodes=maximum,
            labels={POOL: "gpu", **({SPILLS_OVER: spills_over_to} if spills_over_to else {})},
            gpu_partition_mode=sharing.partition,
            tags=list(tags),
            # The autoscaler owns the count, DOKS its own taint.
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["nodeCount", "taints"],
                delete_before_replace=True,
            ),
        )
        share = digitalocean.Nfs(
            f"{name}-weights",
            region=region,
            size=WEIGHTS_GIB,
            vpc_id=vpc.id,
            performance_tier="high",
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=pulumi.Output.secret(
                cluster.kube_configs.apply(lambda configs: configs[0].raw_config)
            ),
            # A cluster that is gone takes its objects with it.
            delete_unreachable=True,
            opts=child,
        )
        self.gpu_labels = {POOL: "gpu"}
        self.gpu_taint = f"{vendor}.com/gpu"
        self.gpu_resource = sharing.resource
        self.gpu_device_class = sharing.device_class
        self.add_ons = {}
        self.weights_volume = {"nfs": {"server": share.host, "path": share.mount_path}}
        self.entrance = Entrance(
            service_type="LoadBalancer",
            annotations={
                "service.beta.kubernetes.io/do-loadbalancer-name": f"{name}-{pulumi.get_stack()}",
                # TLS ends at the gateway, whose nodes alone pass the check.
                "service.beta.kubernetes.io/do-loadbalancer-protocol": "tcp",
            },
            node_port=None,
            address=None,
            sources=[],
        )
        self.urn_in_project = cluster.cluster_urn
        self.register_outputs({"urn_in_project": self.urn_in_project})


def _dra_driver(vendor: str) -> dict[str, Any]:
    """Arguments that put the vendor's driver in the place of its device plugin: never both."""
    return {
        f"{vendor}_gpu_dra_driver": {"enabled": True},
        f"{vendor}_gpu_device_plugin": {"enabled": False},
    }
