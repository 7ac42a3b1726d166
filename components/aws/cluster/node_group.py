"""A managed node group of EKS."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import autoscaling, ec2, eks

POOL = "seamless.dev/pool"
"""Label of every node: the name of its pool."""

UNHEALTHY_NODES = 2
"""Repair stops above it (docs.aws.amazon.com/eks/latest/APIReference, NodeRepairConfig)."""

UNTRUSTED = {
    "node_monitoring_condition": "AcceleratedHardwareReady",
    "node_unhealthy_reason": "DCGMError",
    "min_repair_wait_time_mins": 10,
    "repair_action": "NoAction",
}
"""A finding of the monitoring agent that replaces no node.

The agent sets it when it cannot connect to DCGM, as while a node starts, and never takes it back
(aws/eks-node-monitoring-agent#266, #275, open in 2026-09). Hardware faults have other reasons."""


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The sizes of an Auto Scaling group. None of them changes after the group is created.

    EKS gets the three numbers together, and refuses a minimum above the present size or a maximum
    below it. The provider sends the size of the group's creation, so a change of one of the others
    would also undo what the cluster autoscaler did (hashicorp/terraform-provider-aws#18310, open;
    expandNodegroupScalingConfig in internal/service/eks/node_group.go at 012e0a32). The limits that
    change belong to the autoscaler.
    """

    minimum: int
    maximum: int
    initial: int


class NodeGroup(pulumi.ComponentResource):
    """A managed node group that repairs its nodes and that the cluster autoscaler resizes.

    Creates:
    - a launch template: encrypted disk, tags, IMDSv2 with a hop limit of 1
    - an EKS node group
    - tags on its Auto Scaling group that describe a node to the cluster autoscaler

    EKS tags the Auto Scaling group with the cluster's name, but not with labels, taints and
    resources, so an empty group does not describe its nodes. The autoscaler can call
    `eks:DescribeNodegroup`; tags take precedence and need no call (EKS user guide,
    managed-node-groups and kubernetes-versions 1.24, 2024-12; the autoscaler's AWS README).

    Capacity blocks, by which machines of the P family are sold, are not supported.
    """

    group_name: pulumi.Output[str]
    """Name of the Auto Scaling group."""

    def __init__(
        self,
        name: str,
        *,
        pool: str,
        cluster: eks.Cluster,
        role_arn: pulumi.Input[str],
        subnet_ids: Sequence[pulumi.Input[str]],
        instance_type: str,
        vcpus: int,
        ami_type: str,
        disk_gib: int,
        scaling: Scaling,
        minimum: int,
        maximum: int,
        tags: Mapping[str, str],
        after: Sequence[pulumi.Resource],
        taint: str | None = None,
        labels: Mapping[str, str] | None = None,
        offers: Mapping[str, int] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        pool: Value of the label `POOL` on every node.
        vcpus: Of one node, for the quota that is needed.
        subnet_ids: Subnets of the nodes. A group whose nodes must not be moved has one: Auto
            Scaling ends nodes to balance zones.
        scaling: Sizes that EKS gets; the autoscaler changes the number of nodes.
        minimum: Fewest nodes that run, for the plan's cost.
        maximum: Most nodes that run, for the quota that is needed.
        tags: Tags of the instances and their disks.
        after: Resources that a node needs to join the cluster.
        taint: Key of a taint that repels pods without a toleration.
        labels: Further labels of every node.
        offers: Extended resources of a node with GPUs: `{"nvidia.com/gpu": 1}`. None: it has no
            GPU. An upgrade then removes a GPU node before it adds one, since a quota for the
            maximum allows no further node (EKS user guide, managed-node-update-behavior).
        """
        facts = {
            "instanceType": instance_type,
            "vcpus": vcpus,
            "minimum": minimum,
            "maximum": maximum,
        }
        super().__init__("seamless:aws:NodeGroup", name, facts, opts)
        child = pulumi.ResourceOptions(parent=self)
        node_labels, gpus = {POOL: pool, **(labels or {})}, offers is not None
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
            # One hop: the node reads its credentials, a pod in its own network cannot. The network
            # plugin and the storage drivers run in the node's network.
            metadata_options={"http_tokens": "required", "http_put_response_hop_limit": 1},
            # EKS gives the nodes no tags of the group, and the provider's are not for them.
            tag_specifications=[
                {"resource_type": kind, "tags": dict(tags)} for kind in ("instance", "volume")
            ],
            opts=child,
        )
        group = eks.NodeGroup(
            name,
            cluster_name=cluster.name,
            node_role_arn=role_arn,
            subnet_ids=list(subnet_ids),
            instance_types=[instance_type],
            ami_type=ami_type,
            # An upgrade of the cluster upgrades the nodes.
            version=cluster.version,
            launch_template={
                "id": template.id,
                "version": template.latest_version.apply(lambda version: f"{version:.0f}"),
            },
            scaling_config={
                "min_size": scaling.minimum,
                "max_size": scaling.maximum,
                "desired_size": scaling.initial,
            },
            labels=node_labels,
            taints=[{"key": taint, "value": "present", "effect": "NO_SCHEDULE"}] if taint else [],
            update_config={
                "max_unavailable": 1,
                **({"update_strategy": "MINIMAL"} if gpus else {}),
            },
            node_repair_config={
                "enabled": True,
                # One node at a time. If more nodes are unhealthy at once, a new node rarely fixes
                # the cause, so repair stops.
                "max_parallel_nodes_repaired_count": 1,
                "max_unhealthy_node_threshold_count": UNHEALTHY_NODES,
                **({"node_repair_config_overrides": [UNTRUSTED]} if gpus else {}),
            },
            # The autoscaler sets the number of nodes.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                ignore_changes=["scalingConfig.desiredSize"],
            ),
        )
        self.group_name = group.resources.apply(
            lambda resources: resources[0].autoscaling_groups[0].name
        )
        hints = {f"label/{key}": value for key, value in node_labels.items()}
        hints |= {f"resources/{key}": str(count) for key, count in (offers or {}).items()}
        if taint:
            hints[f"taint/{taint}"] = "present:NoSchedule"
        for key, value in sorted(hints.items()):
            autoscaling.Tag(
                f"{name}-{re.sub('[^a-z0-9]+', '-', key)}",
                autoscaling_group_name=self.group_name,
                tag={
                    "key": f"k8s.io/cluster-autoscaler/node-template/{key}",
                    "value": value,
                    "propagate_at_launch": False,
                },
                opts=child,
            )
        self.register_outputs({"group_name": self.group_name})
