"""Kubernetes with GPU nodes at DigitalOcean: DOKS.

DOKS manages GPU drivers, device plugins, their taints and labels, the cluster autoscaler and the
network itself (docs.digitalocean.com/products/kubernetes, 2026-08).
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_digitalocean as digitalocean
import pulumi_kubernetes as kubernetes

from catalog.regions import offering
from components.contracts import ServiceExposure
from components.kubernetes.base.kubeconfig import kubeconfig
from components.kubernetes.scheduling.gpu_sharing import GpuPlatform, Sharing
from sizing.machines import Machine, gpu

_STORAGE = offering("digitalocean", "nfs")
REGIONS = tuple(region for region in offering("digitalocean", "gpu-cluster") if region in _STORAGE)
"""Regions with GPUs and Network File Storage. None has Functions, which reach the cluster over the
internet.
"""

VERSION = "1.35"
"""Default Kubernetes version; DOKS takes its newest patch (digitalocean/openapi, cluster.yml,
2026-08) and installs later ones.
"""

SYSTEM_SIZE = "s-2vcpu-4gb"
"""Size of the nodes without a GPU, which run the gateway, downloads and DOKS' own pods."""
SYSTEM_NODES = 2
"""DigitalOcean's recommended minimum (docs, add-node-pools, 2025-08)."""

CIDR = "10.20.0.0/16"
"""Range of nodes, pods and services. It must not overlap another network or cluster of the team;
DigitalOcean reserves 10.229, 10.244, 10.245 and 10.246 (docs.digitalocean.com, plan-your-network).
"""

POOL = "seamless.dev/pool"
"""Label of every node: the name of its pool. DOKS does not publish all values of its own label
`gpu-model`."""

SPILLS_OVER = "seamless.dev/spills-over-to"
"""Label of the GPU pool: the inference mode that answers while the pool has no node."""

GPU_PLATFORM = GpuPlatform(product="DOKS", configurable_plugin=False, partitions=True)

SHARE_GIB = 500
"""Size of the file system for the weights; a larger model needs more."""

ASK_DOCTL = (
    'DIGITALOCEAN_ACCESS_TOKEN="${DIGITALOCEAN_ACCESS_TOKEN:-$DIGITALOCEAN_TOKEN}" exec doctl '
    'kubernetes cluster kubeconfig exec-credential --version=v1beta1 "$0"'
)
"""Gets a token from doctl on PATH with the deployer's account. The token in the cluster's own
kubeconfig expires after seven days, and only a refresh renews it."""

_BALANCER = "service.beta.kubernetes.io/do-loadbalancer"
"""Prefix of annotations: digitalocean-cloud-controller-manager, annotations.md, 2026-08."""


class Cluster(pulumi.ComponentResource):
    """A DOKS cluster with GPU nodes (see `components.contracts.Cluster`).

    Creates:
    - a VPC
    - a VPC-native cluster with a pool of CPU nodes
    - an autoscaled pool of GPU nodes
    - an NFS file system for the weights
    - a Kubernetes provider that gets its tokens from doctl on PATH

    The functions have no VPC, so the load balancer of the gateway is public. TLS, a list of allowed
    paths and the key protect the model.
    """

    provider: pulumi.ProviderResource
    gpu_labels: Mapping[str, str]
    gpu_taint: str
    gpu_resource: str
    gpu_device_class: str | None
    weights_volume: Mapping[str, Any]
    exposure: ServiceExposure
    add_ons: Mapping[str, Mapping[str, Any]]
    project_urn: pulumi.Output[str]
    """URN of the cluster in DigitalOcean's projects."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        network_cidr: str = CIDR,
        machine: Machine,
        sharing: Sharing,
        minimum: int,
        maximum: int,
        spills_over_to: str | None,
        version: str,
        share_gib: int = SHARE_GIB,
        tags: Sequence[str],
        production: bool,
        protect: bool,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        region: Region of the cluster, which may differ from that of the functions.
        network_cidr: Range of nodes, pods and services: /16 to /20.
        machine: Machine type of each GPU node.
        sharing: How pods share the GPUs of a node.
        minimum: Fewest GPU nodes.
        maximum: Most GPU nodes.
        spills_over_to: Inference mode that answers while no GPU node runs; None for none.
        version: Kubernetes version, such as `1.35`; empty takes `VERSION`.
        share_gib: Size of the file system for the weights; it can grow, but not shrink.
        production: True adds a second control plane.
        protect: True refuses to delete the weights, and keeps load balancers and volumes of the
            cluster when it is deleted; False deletes them with it.
        """
        super().__init__("seamless:digitalocean:Cluster", name, {"machine": machine.facts}, opts)
        self._name, self._tags = name, list(tags)
        self._child = pulumi.ResourceOptions(parent=self)
        vendor = gpu(machine.gpu).vendor
        nodes, pods, services = ranges(network_cidr)
        vpc = digitalocean.Vpc(
            name,
            region=region,
            ip_range=nodes,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )
        cluster = digitalocean.KubernetesCluster(
            name,
            region=region,
            version=version or VERSION,
            vpc_uuid=vpc.id,
            # These two make the cluster VPC-native, which cannot be changed later.
            cluster_subnet=pods,
            service_subnet=services,
            ha=production,
            auto_upgrade=True,
            surge_upgrade=True,
            maintenance_policy={"day": "sunday", "start_time": "04:00"},
            # Load balancers and volumes of the cluster would otherwise remain, and be billed.
            destroy_all_associated_resources=not protect,
            **_dra_driver(vendor) if sharing.mode == "dra" else {},
            cluster_autoscaler_configurations=[
                # GPU nodes are expensive and start slowly: one is removed after ten idle minutes.
                {"scale_down_unneeded_time": "10m0s", "scale_down_utilization_threshold": 0.5}
            ],
            node_pool={
                "name": "system",
                "size": SYSTEM_SIZE,
                "node_count": SYSTEM_NODES,
                "labels": {POOL: "system"},
                "tags": self._tags,
            },
            tags=self._tags,
            # DOKS upgrades the cluster itself, so its version is newer than the one here.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["version"]),
        )
        self._gpu_pool(cluster, machine, sharing, minimum, maximum, spills_over_to)
        weights = digitalocean.Nfs(
            f"{name}-weights",
            region=region,
            size=share_gib,
            vpc_id=vpc.id,
            performance_tier="high",
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=protect,
                # It reads back under another name, and each update would be refused
                # (digitalocean/terraform-provider-digitalocean#1551).
                ignore_changes=["performanceTier"],
            ),
        )
        self.provider = self._kubernetes(cluster)
        self.gpu_labels = {POOL: "gpu"}
        self.gpu_taint = f"{vendor}.com/gpu"
        self.gpu_resource = sharing.resource
        self.gpu_device_class = sharing.device_class
        self.add_ons = {}
        # Every user may write to the root of the file system, as in DigitalOcean's vllm-nfs
        # (2026-01); Kubernetes' `fsGroup` has no effect on NFS.
        self.weights_volume = {"nfs": {"server": weights.host, "path": weights.mount_path}}
        self.exposure = ServiceExposure(
            service_type="LoadBalancer",
            annotations={
                # Letters, digits, dots and dashes are allowed, and no dash at the end.
                f"{_BALANCER}-name": f"{pulumi.get_stack().replace('_', '-')}-{name}",
                # A network load balancer forwards packets: the gateway sees the caller's address
                # and ends TLS, and no idle timeout of HTTP interrupts a slow answer.
                f"{_BALANCER}-type": "REGIONAL_NETWORK",
            },
            node_port=None,
            address=None,
            sources=[],
        )
        self.project_urn = cluster.cluster_urn
        self.register_outputs({"project_urn": self.project_urn})

    def _gpu_pool(
        self,
        cluster: digitalocean.KubernetesCluster,
        machine: Machine,
        sharing: Sharing,
        minimum: int,
        maximum: int,
        spills_over_to: str | None,
    ) -> None:
        digitalocean.KubernetesNodePool(
            f"{self._name}-gpu",
            cluster_id=cluster.id,
            size=machine.slug,
            auto_scale=True,
            min_nodes=minimum,
            max_nodes=maximum,
            labels={POOL: "gpu", **({SPILLS_OVER: spills_over_to} if spills_over_to else {})},
            gpu_partition_mode=sharing.partition,
            tags=self._tags,
            # The autoscaler sets the number of nodes, and DOKS sets its own taint.
            opts=pulumi.ResourceOptions(
                parent=self,
                ignore_changes=["nodeCount", "taints"],
                delete_before_replace=True,
            ),
        )

    def _kubernetes(self, cluster: digitalocean.KubernetesCluster) -> pulumi.ProviderResource:
        """The Kubernetes provider; its kubeconfig calls doctl for tokens."""
        config = pulumi.Output.all(
            cluster.id,
            cluster.endpoint,
            cluster.kube_configs.apply(lambda configs: configs[0].cluster_ca_certificate),
        ).apply(
            lambda facts: kubeconfig(
                name="doks",
                server=facts[1],
                authority=facts[2],
                command=["sh", "-c", ASK_DOCTL, facts[0]],
            )
        )
        provider: pulumi.ProviderResource = kubernetes.Provider(
            self._name, kubeconfig=config, opts=self._child
        )
        return provider


def ranges(cidr: str) -> tuple[str, str, str]:
    """Split a range into those of nodes, pods and services: /20, /18 and /22 of a /16.

    Each node takes a /25 of the pods' range, so a /16 has room for 128 nodes.

    Raises:
        ValueError: The range is no network, or is not between /16 and /20.
    """
    network = IPv4Network(cidr)
    if not 16 <= network.prefixlen <= 20:
        raise ValueError(
            f"network_cidr {cidr} cannot be split: give a range from /16 to /20, such as {CIDR}."
        )
    pods, second, third, _ = network.subnets(prefixlen_diff=2)
    services = next(second.subnets(prefixlen_diff=4))
    nodes = next(third.subnets(prefixlen_diff=2))
    return str(nodes), str(pods), str(services)


def _dra_driver(vendor: str) -> dict[str, Any]:
    """Arguments that enable the vendor's DRA driver and disable its device plugin."""
    return {
        f"{vendor}_gpu_dra_driver": {"enabled": True},
        f"{vendor}_gpu_device_plugin": {"enabled": False},
    }
