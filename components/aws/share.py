"""A file system that every node of a cluster can mount at once."""

import pulumi
from pulumi_aws import ec2, efs, vpc

from components.aws.network import Network

OWNER = 2000
"""User and group that everybody is to the share, so a pod's own user does not matter."""


class Share(pulumi.ComponentResource):
    """An encrypted EFS file system, reachable from the nodes alone, and the door to one folder."""

    handle: pulumi.Output[str]
    """What the EFS driver knows the folder by (aws-efs-csi-driver, access_points, 2026-07)."""
    mounts: list[pulumi.Resource]
    """What must be there before a node can mount it."""

    def __init__(
        self,
        name: str,
        *,
        network: Network,
        nodes_group_id: pulumi.Input[str],
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: nodes_group_id: Security group of the nodes."""
        super().__init__("seamless:aws:Share", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = ec2.SecurityGroup(
            name,
            vpc_id=network.vpc_id,
            description="The weights: NFS in from the nodes.",
            opts=child,
        )
        vpc.SecurityGroupIngressRule(
            name,
            security_group_id=group.id,
            referenced_security_group_id=nodes_group_id,
            ip_protocol="tcp",
            from_port=2049,
            to_port=2049,
            opts=child,
        )
        share = efs.FileSystem(
            name,
            encrypted=True,
            # Throughput that follows the use: a start reads all weights at once, then nobody does.
            throughput_mode="elastic",
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        self.mounts = [
            efs.MountTarget(
                f"{name}-{place}",
                file_system_id=share.id,
                subnet_id=subnet_id,
                security_groups=[group.id],
                opts=child,
            )
            for subnet_id, place in zip(network.private_subnet_ids, "abc", strict=False)
        ]
        # The root of a file system is root's, and no pod of ours is root.
        owner = {"uid": OWNER, "gid": OWNER}
        door = efs.AccessPoint(
            name,
            file_system_id=share.id,
            posix_user=owner,
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
        self.handle = pulumi.Output.concat(share.id, "::", door.id)
        self.register_outputs({"handle": self.handle})
