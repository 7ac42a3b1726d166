"""A pool of EKS nodes: managed, repaired by itself, grown and shrunk by the cluster autoscaler."""

from collections.abc import Mapping, Sequence

import pulumi
from pulumi_aws import autoscaling, ec2, eks

POOL = "seamless.dev/pool"
"""Our own label of a node pool."""


UNHEALTHY_NODES = 2
"""Above so many, repair stops (docs.aws.amazon.com/eks/latest/APIReference, NodeRepairConfig)."""


class NodePool(pulumi.ComponentResource):
    """A managed node group with its launch template.

    EKS copies no label or taint of a node group to its Auto Scaling group, so the cluster
    autoscaler would not know what a group of no nodes could offer: the tags tell it
    (docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html; cluster-autoscaler's AWS
    README).
    """

    group_name: pulumi.Output[str]
    """Of the Auto Scaling group."""

    def __init__(
        self,
        name: str,
        *,
        pool: str,
        cluster: eks.Cluster,
        role_arn: pulumi.Input[str],
        subnet_ids: Sequence[pulumi.Input[str]],
        instance_type: str,
        ami_type: str,
        disk_gib: int,
        minimum: int,
        maximum: int,
        taint: str | None = None,
        labels: Mapping[str, str] | None = None,
        offers: Mapping[str, int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        pool: Value of the label `POOL` on every node.
        taint: Key that keeps off pods which do not tolerate it.
        labels: More labels of every node.
        offers: What a node has beside CPU and memory: `{"nvidia.com/gpu": 1}`.
        """
        super().__init__("seamless:aws:NodePool", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        on_node = {POOL: pool, **(labels or {})}
        template = ec2.LaunchTemplate(
            name,
            update_default_version=True,
            block_device_mappings=[
                {
                    "device_name": "/dev/xvda",
                    "ebs": {
                        "volume_size": disk_gib,
                        "volume_type": "gp3",
                        "encrypted": "true",
                        "delete_on_termination": "true",
                    },
                }
            ],
            # One hop: the node reads its credentials, a pod in its own network cannot.
            metadata_options={"http_tokens": "required", "http_put_response_hop_limit": 1},
            opts=child,
        )
        group = eks.NodeGroup(
            name,
            cluster_name=cluster.name,
            node_role_arn=role_arn,
            subnet_ids=list(subnet_ids),
            instance_types=[instance_type],
            ami_type=ami_type,
            launch_template={
                "id": template.id,
                "version": template.latest_version.apply(lambda version: f"{version:.0f}"),
            },
            scaling_config={
                "min_size": minimum,
                "max_size": maximum,
                "desired_size": max(minimum, 1),
            },
            labels=on_node,
            taints=[{"key": taint, "value": "present", "effect": "NO_SCHEDULE"}] if taint else [],
            update_config={"max_unavailable": 1},
            node_repair_config={
                "enabled": True,
                # One after the other, and a breaker: when more are ill at once, the cause is none
                # that a new node mends, and a person should look first.
                "max_parallel_nodes_repaired_count": 1,
                "max_unhealthy_node_threshold_count": UNHEALTHY_NODES,
            },
            # The autoscaler owns the count.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["scalingConfig.desiredSize"]),
        )
        self.group_name = group.resources.apply(
            lambda resources: resources[0].autoscaling_groups[0].name
        )
        hints = {f"label/{key}": value for key, value in on_node.items()}
        hints |= {f"resources/{key}": str(count) for key, count in (offers or {}).items()}
        if taint:
            hints[f"taint/{taint}"] = "present:NoSchedule"
        for key, value in sorted(hints.items()):
            autoscaling.Tag(
                f"{name}-{key.replace('/', '-')}",
                autoscaling_group_name=self.group_name,
                tag={
                    "key": f"k8s.io/cluster-autoscaler/node-template/{key}",
                    "value": value,
                    "propagate_at_launch": False,
                },
                opts=child,
            )
        self.register_outputs({"group_name": self.group_name})
