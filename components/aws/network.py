"""The network of the split arrangement: a VPC over two zones, with one way out."""

import pulumi
from pulumi_aws import cloudwatch, ec2, iam, vpc

from components.aws.endpoint import cidr, port
from components.aws.iam import allow, policy, trust
from components.aws.regions import zones
from components.aws.subnets import subnets

CIDR = "10.20.0.0/16"

_HTTPS, _POSTGRES = 443, 5432


class Network(pulumi.ComponentResource):
    """Private subnets for functions and database; the internet is reached through one NAT gateway.

    The NAT gateway is what a function in a VPC needs to call an external API. It costs $0.045 an
    hour, $32.85 a month, and $0.045 per GB (us-east-1; cloud-horizons.com, 2026-05-08, secondary).
    Both zones share it: when its zone is down, so is the way out. S3 is reached through a gateway
    endpoint, which is free (same source).
    """

    vpc_id: pulumi.Output[str]
    cidr: str
    private_subnet_ids: list[pulumi.Output[str]]
    functions_group_id: pulumi.Output[str]
    """Security group of the functions: out to AWS by HTTPS, to the database, nothing in."""
    database_group_id: pulumi.Output[str]
    """Security group of the database: PostgreSQL in from the functions, nothing out."""
    way_out: list[pulumi.Resource]
    """What must be there before a function can reach anything."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        cidr: str = CIDR,
        flow_logs: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        cidr: A range that `subnets.unusable` finds nothing wrong with.
        flow_logs: True records who talked to whom, for 90 days.
        """
        super().__init__("seamless:aws:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.cidr = cidr
        self._vpc = ec2.Vpc(
            f"{name}-vpc",
            cidr_block=cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            opts=child,
        )
        self.vpc_id = self._vpc.id
        # Without rules it is closed: AWS puts what names no group of its own into it.
        ec2.DefaultSecurityGroup(
            f"{name}-default-group", vpc_id=self._vpc.id, ingress=[], egress=[], opts=child
        )
        self._subnets(name, region, cidr, child)
        self._groups(name, child)
        if flow_logs:
            self._flow_logs(name, child)
        self.register_outputs({"private_subnet_ids": self.private_subnet_ids})

    def way_to(self, name: str, url: pulumi.Output[str]) -> pulumi.Output[str]:
        """A security group that lets out to the host and port of a URL, and to nothing else."""
        child = pulumi.ResourceOptions(parent=self)
        group = ec2.SecurityGroup(
            name, vpc_id=self._vpc.id, description="Out to one endpoint.", opts=child
        )
        vpc.SecurityGroupEgressRule(
            f"{name}-out",
            security_group_id=group.id,
            cidr_ipv4=url.apply(cidr),
            ip_protocol="tcp",
            from_port=url.apply(port),
            to_port=url.apply(port),
            opts=child,
        )
        group_id: pulumi.Output[str] = group.id
        return group_id

    def _subnets(self, name: str, region: str, cidr: str, child: pulumi.ResourceOptions) -> None:
        self.way_out = []
        places = zones(region)
        ranges = subnets(cidr, len(places))
        internet = ec2.InternetGateway(f"{name}-internet", vpc_id=self._vpc.id, opts=child)
        public_routes = ec2.RouteTable(
            f"{name}-public-routes",
            vpc_id=self._vpc.id,
            routes=[ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=internet.id)],
            opts=child,
        )
        public = self._zone_subnets(name, "public", places, ranges.public, public_routes, child)
        address = ec2.Eip(f"{name}-address", domain="vpc", opts=child)
        nat = ec2.NatGateway(
            f"{name}-nat",
            allocation_id=address.allocation_id,
            subnet_id=public[0].id,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[internet]),
        )
        routes = ec2.RouteTable(
            f"{name}-private-routes",
            vpc_id=self._vpc.id,
            routes=[ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", nat_gateway_id=nat.id)],
            opts=child,
        )
        private = self._zone_subnets(name, "private", places, ranges.private, routes, child)
        s3 = ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self._vpc.id,
            service_name=f"com.amazonaws.{region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[routes.id],
            opts=child,
        )
        self.private_subnet_ids = [subnet.id for subnet in private]
        self.way_out += [nat, s3]

    def _zone_subnets(
        self,
        name: str,
        kind: str,
        places: tuple[str, ...],
        ranges: tuple[str, ...],
        routes: ec2.RouteTable,
        child: pulumi.ResourceOptions,
    ) -> list[ec2.Subnet]:
        made = []
        for place, block in zip(places, ranges, strict=True):
            label = f"{name}-{kind}-{place[-1]}"
            subnet = ec2.Subnet(
                label,
                vpc_id=self._vpc.id,
                availability_zone=place,
                cidr_block=block,
                map_public_ip_on_launch=False,
                opts=child,
            )
            self.way_out.append(
                ec2.RouteTableAssociation(
                    f"{label}-routes", subnet_id=subnet.id, route_table_id=routes.id, opts=child
                )
            )
            made.append(subnet)
        return made

    def _groups(self, name: str, child: pulumi.ResourceOptions) -> None:
        functions = ec2.SecurityGroup(
            f"{name}-functions",
            vpc_id=self._vpc.id,
            description="The functions: out to HTTPS and to the database.",
            opts=child,
        )
        database = ec2.SecurityGroup(
            f"{name}-database",
            vpc_id=self._vpc.id,
            description="The database: PostgreSQL from the functions.",
            opts=child,
        )
        vpc.SecurityGroupEgressRule(
            f"{name}-functions-https",
            security_group_id=functions.id,
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            opts=child,
        )
        vpc.SecurityGroupEgressRule(
            f"{name}-functions-postgres",
            security_group_id=functions.id,
            referenced_security_group_id=database.id,
            ip_protocol="tcp",
            from_port=_POSTGRES,
            to_port=_POSTGRES,
            opts=child,
        )
        vpc.SecurityGroupIngressRule(
            f"{name}-database-postgres",
            security_group_id=database.id,
            referenced_security_group_id=functions.id,
            ip_protocol="tcp",
            from_port=_POSTGRES,
            to_port=_POSTGRES,
            opts=child,
        )
        self.functions_group_id, self.database_group_id = functions.id, database.id

    def _flow_logs(self, name: str, child: pulumi.ResourceOptions) -> None:
        logs = cloudwatch.LogGroup(f"{name}-flow-logs", retention_in_days=90, opts=child)
        role = iam.Role(
            f"{name}-flow-role",
            assume_role_policy=trust("vpc-flow-logs.amazonaws.com"),
            opts=child,
        )
        write = allow(
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
            on=[pulumi.Output.concat(logs.arn, ":*")],
        )
        iam.RolePolicy(f"{name}-flow-policy", role=role.id, policy=policy([write]), opts=child)
        ec2.FlowLog(
            f"{name}-flow",
            vpc_id=self._vpc.id,
            traffic_type="ALL",
            iam_role_arn=role.arn,
            log_destination=logs.arn,
            opts=child,
        )
