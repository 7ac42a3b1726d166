"""The internal load balancer through which the functions reach a cluster."""

import pulumi
from pulumi_aws import autoscaling, ec2, lb

from components import contracts
from components.aws.network import Network
from components.aws.security_groups import allow_egress, allow_ingress

NODE_PORT = 30443


class LoadBalancer(pulumi.ComponentResource):
    """An internal Network Load Balancer that forwards TCP to a node port; the gateway ends TLS.

    Creates:
    - a Network Load Balancer in the private subnets, with a listener on port 443
    - a target group of the nodes, attached to their Auto Scaling group
    - a security group: port 443 in from the functions, the node port out to the nodes
    - a rule in the nodes' security group: the node port in from the load balancer

    Pulumi creates it, and no controller in the cluster does. So plans and policies see it, and
    destroying the stack deletes it.
    """

    exposure: contracts.ServiceExposure

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
        super().__init__("seamless:aws:LoadBalancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = self._security_group(name, network, nodes_group_id, child)
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
            # Long enough for an answer that is still in transit through a node being removed.
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
            # A slow answer may send no byte for minutes; the default timeout is 350 seconds.
            tcp_idle_timeout_seconds=900,
            opts=child,
        )
        autoscaling.Attachment(
            name,
            autoscaling_group_name=node_group_name,
            lb_target_group_arn=target.arn,
            opts=child,
        )
        self.exposure = contracts.ServiceExposure(
            service_type="NodePort",
            annotations={},
            node_port=NODE_PORT,
            address=balancer.dns_name,
            sources=[network.cidr],
        )
        self.register_outputs({"address": balancer.dns_name})

    def _security_group(
        self,
        name: str,
        network: Network,
        nodes_group_id: pulumi.Input[str],
        child: pulumi.ResourceOptions,
    ) -> ec2.SecurityGroup:
        group = ec2.SecurityGroup(
            name,
            vpc_id=network.vpc_id,
            description="Load balancer of the model: HTTPS from the functions, to the nodes.",
            opts=child,
        )
        allow_ingress(
            f"{name}-functions",
            group.id,
            source_group_id=network.functions_group_id,
            port=443,
            opts=child,
        )
        allow_egress(
            f"{name}-out", group.id, target_group_id=nodes_group_id, port=NODE_PORT, opts=child
        )
        allow_ingress(
            f"{name}-nodes", nodes_group_id, source_group_id=group.id, port=NODE_PORT, opts=child
        )
        return group
