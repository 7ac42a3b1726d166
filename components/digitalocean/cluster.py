"""Kubernetes with GPU nodes at DigitalOcean: DOKS.

What DOKS manages is left to it: GPU drivers, device plugins, their taints and labels, the cluster
autoscaler, the network (docs.digitalocean.com/products/kubernetes, 2026-08).
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_digitalocean as digitalocean
import pulumi_kubernetes as kubernetes

from components.contracts import Entrance
from components.gpu import Machine, gpu
from components.kubernetes.kubeconfig import kubeconfig
from components.kubernetes.sharing import GpuPlatform, Sharing
from components.regions import offering

REGIONS = offering("digitalocean", "gpu-cluster")
"""Regions with both GPUs and Network File Storage. Functions are in none of them, and need not be:
they come in over the internet.
"""

VERSION = "1.35"
"""Minor version of a new cluster; DOKS takes its newest patch (digitalocean/openapi, cluster.yml,
2026-08), and upgrades that by itself.
"""

SYSTEM_SIZE = "s-2vcpu-4gb"
"""Of the nodes without a GPU: gateway, downloads, DOKS' own pods."""
SYSTEM_NODES = 2
"""As DigitalOcean advises (docs, add-node-pools, 2025-08)."""

CIDR = "10.20.0.0/16"
"""Of nodes, pods and services. No other network or cluster of the team may have a part of it, and
10.229, 10.244, 10.245 and 10.246 are DigitalOcean's own (docs.digitalocean.com, plan-your-network).
"""

POOL = "seamless.dev/pool"
"""Our own label of a node pool; the full list of DOKS' `gpu-model` values is not published."""

SPILLS_OVER = "seamless.dev/spills-over-to"
"""Our own label of the GPU pool: the rung that answers while it cannot."""

GPU_PLATFORM = GpuPlatform(product="DOKS", configurable_plugin=False, partitions=True)

SHARE_GIB = 500
"""Of the share that holds the weights, unless the model needs more."""

ASK_DOCTL = (
    'DIGITALOCEAN_ACCESS_TOKEN="${DIGITALOCEAN_ACCESS_TOKEN:-$DIGITALOCEAN_TOKEN}" exec doctl '
    'kubernetes cluster kubeconfig exec-credential --version=v1beta1 "$0"'
)
"""Asks doctl, on PATH, for a token, with the account of who deploys: the token in the cluster's
own kubeconfig ends after seven days, and is fetched again only by a refresh."""

_BALANCER = "service.beta.kubernetes.io/do-loadbalancer"
"""Prefix of annotations: digitalocean-cloud-controller-manager, annotations.md, 2026-08."""


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
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        region: Of the cluster, not of the functions.
        network_cidr: Range of nodes, pods and services: /16 to /20.
        machine: What each GPU node is.
        sharing: How its GPUs are handed out.
        minimum: GPU nodes that always run.
        maximum: GPU nodes that may run.
        spills_over_to: Rung that answers while no GPU node does; None is nobody.
        version: Of Kubernetes, `1.35`; empty takes ours.
        share_gib: Of the share that holds the weights; it can grow, and not shrink.
        production: True keeps a second control plane.
        protect: True refuses to delete the weights, and keeps balancers and volumes that the
            cluster made when it goes; False deletes them with it.
        """
        super().__init__("seamless:digitalocean:Cluster", name, {"machine": machine.facts}, opts)
        child = pulumi.ResourceOptions(parent=self)
        vendor = gpu(machine.gpu).vendor
        nodes, pods, services = ranges(network_cidr)
        vpc = digitalocean.Vpc(name, region=region, ip_range=nodes, opts=child)
        cluster = digitalocean.KubernetesCluster(
            name,
            region=region,
            version=version or VERSION,
            vpc_uuid=vpc.id,
            # Naming them makes the cluster VPC-native, which cannot be had later.
            cluster_subnet=pods,
            service_subnet=services,
            ha=production,
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
            size=share_gib,
            vpc_id=vpc.id,
            performance_tier="high",
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        self.provider = kubernetes.Provider(
            name,
            kubeconfig=pulumi.Output.all(
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
            ),
            opts=child,
        )
        self.gpu_labels = {POOL: "gpu"}
        self.gpu_taint = f"{vendor}.com/gpu"
        self.gpu_resource = sharing.resource
        self.gpu_device_class = sharing.device_class
        self.add_ons = {}
        # Any user may write to the root of a share, as DigitalOcean's vllm-nfs does (2026-01);
        # Kubernetes' `fsGroup` changes nothing on NFS.
        self.weights_volume = {"nfs": {"server": share.host, "path": share.mount_path}}
        self.entrance = Entrance(
            service_type="LoadBalancer",
            annotations={
                # May have letters, digits, dots and dashes, and no dash at the end.
                f"{_BALANCER}-name": f"{pulumi.get_stack().replace('_', '-')}-{name}",
                # It hands packets on: callers keep their address, TLS ends at the gateway, and no
                # idle timeout of HTTP cuts a slow answer.
                f"{_BALANCER}-type": "REGIONAL_NETWORK",
            },
            node_port=None,
            address=None,
            sources=[],
        )
        self.urn_in_project = cluster.cluster_urn
        self.register_outputs({"urn_in_project": self.urn_in_project})


def ranges(cidr: str) -> tuple[str, str, str]:
    """Cut a range into those of nodes, pods and services: /20, /18 and /22 of a /16.

    Each node takes a /25 of the pods' range, so a /16 holds 128 nodes.

    Raises:
        ValueError: when the range is no network, or is too small or too large for that.
    """
    network = IPv4Network(cidr)
    if not 16 <= network.prefixlen <= 20:
        raise ValueError(
            f"network_cidr {cidr} cannot be cut: give a range from /16 to /20, such as {CIDR}."
        )
    pods, second, third, _ = network.subnets(prefixlen_diff=2)
    services = next(second.subnets(prefixlen_diff=4))
    nodes = next(third.subnets(prefixlen_diff=2))
    return str(nodes), str(pods), str(services)


def _dra_driver(vendor: str) -> dict[str, Any]:
    """Arguments that put the vendor's driver in the place of its device plugin: never both."""
    return {
        f"{vendor}_gpu_dra_driver": {"enabled": True},
        f"{vendor}_gpu_device_plugin": {"enabled": False},
    }
