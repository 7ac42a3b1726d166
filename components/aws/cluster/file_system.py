"""A file system that all nodes of a cluster can mount at the same time: EFS."""

import pulumi
from pulumi_aws import ec2, efs

from components.aws.network import Network
from components.aws.security_groups import allow_ingress

OWNER = 2000
"""User and group id of every client at the access point, whatever user a pod runs as."""

_NFS = 2049


class FileSystem(pulumi.ComponentResource):
    """An encrypted EFS file system with an access point for one folder.

    Creates:
    - an EFS file system with elastic throughput
    - a mount target in each private subnet
    - an access point to `/weights`, where every client is user `OWNER`
    - a security group: NFS in from the nodes
    """

    handle: pulumi.Output[str]
    """Volume handle of the EFS CSI driver (aws-efs-csi-driver, access_points, 2026-07)."""
    mounts: list[pulumi.Resource]
    """Mount targets; a node can mount the file system after they are created."""

    def __init__(
        self,
        name: str,
        *,
        network: Network,
        nodes_group_id: pulumi.Input[str],
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        nodes_group_id: Security group of the nodes.
        protect: True refuses to delete the files.
        """
        super().__init__("seamless:aws:FileSystem", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = ec2.SecurityGroup(
            name,
            vpc_id=network.vpc_id,
            description="File system of the weights: NFS from the nodes.",
            opts=child,
        )
        allow_ingress(name, group.id, source_group_id=nodes_group_id, port=_NFS, opts=child)
        files = efs.FileSystem(
            name,
            encrypted=True,
            # The load is uneven: a server that starts reads all weights, then reads stop.
            throughput_mode="elastic",
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        self.mounts = [
            efs.MountTarget(
                f"{name}-{zone}",
                file_system_id=files.id,
                subnet_id=subnet_id,
                security_groups=[group.id],
                opts=child,
            )
            for subnet_id, zone in zip(network.private_subnet_ids, network.zones, strict=True)
        ]
        # The root of a file system belongs to root, and no pod of the stack runs as root.
        access_point = efs.AccessPoint(
            name,
            file_system_id=files.id,
            posix_user={"uid": OWNER, "gid": OWNER},
            root_directory={
                "path": "/weights",
                "creation_info": {
                    "owner_uid": OWNER,
                    "owner_gid": OWNER,
                    "permissions": "0755",
                },
            },
            opts=child,
        )
        self.handle = pulumi.Output.concat(files.id, "::", access_point.id)
        self.register_outputs({"handle": self.handle})
