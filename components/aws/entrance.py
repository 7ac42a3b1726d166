"""The way into a cluster for the functions: a balancer inside the VPC."""

import pulumi
from pulumi_aws import autoscaling, ec2, lb, vpc

from components import contracts
from components.aws.network import Network

NODE_PORT = 30443


class Entrance(pulumi.ComponentResource):
    """An internal Network Load Balancer that hands TCP on to the nodes, so TLS ends at the gateway.

    A resource of ours rather than of a controller in the cluster: plans and policies see it, and
    it goes with the stack.
    """

    facts: contracts.Entrance

    def __init__(
        self,
        name: str,
        *,
        network: Network,
        node_group_name: pulumi.Input[str],
        nodes_group_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        node_group_name: Auto Scaling group of the nodes that the gateway runs on.
        nodes_group_id: Security group of the nodes.
        """
        super().__init__("seamless:aws:Entrance", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = ec2.SecurityGroup(
            name,
            vpc_id=network.vpc_id,
            description="The model's balancer: HTTPS in from the functions, out to the nodes.",
            opts=child,
        )
        vpc.SecurityGroupIngressRule(
            f"{name}-functions",
            security_group_id=group.id,
            referenced_security_group_id=network.functions_group_id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=child,
        )
        vpc.SecurityGroupEgressRule(
            f"{name}-out",
            security_group_id=group.id,
            referenced_security_group_id=nodes_group_id,
            ip_protocol="tcp",
            from_port=NODE_PORT,
            to_port=NODE_PORT,
            opts=child,
        )
        vpc.SecurityGroupIngressRule(
            f"{name}-nodes",
            security_group_id=nodes_group_id,
            referenced_security_group_id=group.id,
            ip_protocol="tcp",
            from_port=NODE_PORT,
            to_port=NODE_PORT,
            opts=child,
        )
        balancer = lb.LoadBalancer(
            name,
            internal=True,
            load_balancer_type="network",
            subnets=network.private_subnet_ids,
            security_groups=[group.id],
            enable_cross_zone_load_balancing=True,
            opts=child,
        )
        target = lb.TargetGroup(
            name,
            vpc_id=network.vpc_id,
            port=NODE_PORT,
            protocol="TCP",
            target_type="instance",
            preserve_client_ip="false",
            # As long as an answer may still be on its way through a node that leaves.
            deregistration_delay=150,
            health_check={"protocol": "TCP", "port": str(NODE_PORT), "interval": 10},
            opts=child,
        )
        lb.Listener(
            name,
            load_balancer_arn=balancer.arn,
            port=443,
            protocol="TCP",
            default_actions=[{"type": "forward", "target_group_arn": target.arn}],
            # A document may take long without a byte; the default cuts after 350 seconds.
            tcp_idle_timeout_seconds=900,
            opts=child,
        )
        autoscaling.Attachment(
            name,
            autoscaling_group_name=node_group_name,
            lb_target_group_arn=target.arn,
            opts=child,
        )
        self.facts = contracts.Entrance(
            service_type="NodePort",
            annotations={},
            node_port=NODE_PORT,
            address=balancer.dns_name,
            sources=[network.cidr],
        )
        self.register_outputs({"address": balancer.dns_name})
