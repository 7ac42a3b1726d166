"""The network of the split variant: a VPC in two zones with one NAT gateway."""

from collections.abc import Iterable, Sequence

import pulumi
from pulumi_aws import cloudwatch, ec2, iam

from components.aws.execution_roles import RELEASE
from components.aws.iam import account, allow, policy, trust
from components.aws.security_groups import allow_egress, allow_ingress, cidr_of, port_of
from components.aws.subnets import subnets

CIDR = "10.20.0.0/16"

ZONES = ("a", "b")
"""Letters of the default zones. A plan knows them without an account."""

_HTTPS, _POSTGRES = 443, 5432


class Network(pulumi.ComponentResource):
    """Private subnets for the functions and the database, with outgoing access by a NAT gateway.

    Creates:
    - a VPC, whose default security group has no rules
    - a private and a public subnet in each zone, with their route tables
    - an internet gateway, and one NAT gateway with a fixed address
    - a gateway endpoint for S3
    - a security group of the functions and one of the database
    - a flow log with its role, if `flow_logs` is True

    A function in a VPC needs the NAT gateway to call an external API. It costs $0.045 an hour,
    $32.85 a month, and $0.045 per GB (us-east-1; cloud-horizons.com, 2026-05-08, secondary). All
    zones share it: an outage of its zone stops outgoing traffic of all functions. The gateway
    endpoint for S3 is free (same source).
    """

    vpc_id: pulumi.Output[str]
    cidr: str
    zones: tuple[str, ...]
    """Letters of the zones, in the order of the subnets."""
    private_subnet_ids: list[pulumi.Output[str]]
    functions_group_id: pulumi.Output[str]
    """Security group of the functions: HTTPS out to any address, PostgreSQL out to the database,
    nothing in."""
    database_group_id: pulumi.Output[str]
    """Security group of the database: PostgreSQL in from the functions, nothing out."""
    egress_ready: list[pulumi.Resource]
    """Routes, gateways and rules; a function has outgoing access after they are created."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        cidr: str = CIDR,
        zones: Sequence[str] = ZONES,
        flow_logs: bool,
        interfaces: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        cidr: A range for which `subnets.unusable` returns no rule.
        zones: Letters of two zones. Their order changes nothing.
        flow_logs: True records the traffic, and keeps the records for 90 days.
        interfaces: With these Lambda deletes its network interfaces (`ExecutionRoles.ready`).
        """
        super().__init__("seamless:aws:Network", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.cidr, self.zones = cidr, tuple(sorted(zones))
        self._of_functions = pulumi.ResourceOptions(
            parent=self,
            depends_on=list(interfaces),
            custom_timeouts=pulumi.CustomTimeouts(delete=RELEASE),
        )
        self._vpc = ec2.Vpc(
            f"{name}-vpc",
            cidr_block=cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            opts=child,
        )
        self.vpc_id = self._vpc.id
        # AWS puts a resource without a security group into this one; without rules it is closed.
        ec2.DefaultSecurityGroup(
            f"{name}-default-group", vpc_id=self._vpc.id, ingress=[], egress=[], opts=child
        )
        self._subnets(name, region, cidr, child)
        self._groups(name, child)
        if flow_logs:
            self._flow_logs(name, child)
        self.register_outputs({"private_subnet_ids": self.private_subnet_ids})

    def private_subnet_in(self, zone: str) -> pulumi.Output[str]:
        """The private subnet in one of the zones.

        Args:
            zone: Its letter.
        """
        return self.private_subnet_ids[self.zones.index(zone)]

    def egress_group_for(self, name: str, urls: Iterable[str]) -> list[pulumi.Output[str]]:
        """A security group for URLs whose port is not 443; empty if there are none.

        The functions' own group opens port 443 to every address, so most endpoints need no more.
        The group has one rule for each address and port: AWS refuses equal rules in one group.
        """
        targets = {(cidr_of(url), port_of(url)) for url in urls if port_of(url) != _HTTPS}
        if not targets:
            return []
        child = pulumi.ResourceOptions(parent=self)
        group = ec2.SecurityGroup(
            name,
            vpc_id=self._vpc.id,
            description="Out to inference endpoints.",
            opts=self._of_functions,
        )
        for cidr, number in sorted(targets):
            address = cidr.partition("/")[0].replace(".", "-")
            self.egress_ready.append(
                allow_egress(
                    f"{name}-{address}-{number}", group.id, cidr=cidr, port=number, opts=child
                )
            )
        return [group.id]

    def _subnets(self, name: str, region: str, cidr: str, child: pulumi.ResourceOptions) -> None:
        self.egress_ready = []
        places = tuple(f"{region}{zone}" for zone in self.zones)
        ranges = subnets(cidr, len(places))
        internet = ec2.InternetGateway(f"{name}-internet", vpc_id=self._vpc.id, opts=child)
        public_routes = ec2.RouteTable(
            f"{name}-public-routes",
            vpc_id=self._vpc.id,
            routes=[ec2.RouteTableRouteArgs(cidr_block="0.0.0.0/0", gateway_id=internet.id)],
            opts=child,
        )
        public = self._zone_subnets(
            name, "public", places, ranges.public, public_routes, child, child
        )
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
        private = self._zone_subnets(
            name, "private", places, ranges.private, routes, self._of_functions, child
        )
        s3 = ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=self._vpc.id,
            service_name=f"com.amazonaws.{region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[routes.id],
            opts=child,
        )
        self.private_subnet_ids = [subnet.id for subnet in private]
        self.egress_ready += [nat, s3]

    def _zone_subnets(
        self,
        name: str,
        kind: str,
        places: tuple[str, ...],
        ranges: tuple[str, ...],
        routes: ec2.RouteTable,
        opts: pulumi.ResourceOptions,
        child: pulumi.ResourceOptions,
    ) -> list[ec2.Subnet]:
        created = []
        for place, block in zip(places, ranges, strict=True):
            label = f"{name}-{kind}-{place[-1]}"
            subnet = ec2.Subnet(
                label,
                vpc_id=self._vpc.id,
                availability_zone=place,
                cidr_block=block,
                map_public_ip_on_launch=False,
                opts=opts,
            )
            self.egress_ready.append(
                ec2.RouteTableAssociation(
                    f"{label}-routes", subnet_id=subnet.id, route_table_id=routes.id, opts=child
                )
            )
            created.append(subnet)
        return created

    def _groups(self, name: str, child: pulumi.ResourceOptions) -> None:
        functions = ec2.SecurityGroup(
            f"{name}-functions",
            vpc_id=self._vpc.id,
            description="Functions: HTTPS and the database out.",
            opts=self._of_functions,
        )
        database = ec2.SecurityGroup(
            f"{name}-database",
            vpc_id=self._vpc.id,
            description="Database: PostgreSQL in from the functions.",
            opts=child,
        )
        self.egress_ready += [
            allow_egress(
                f"{name}-functions-https", functions.id, cidr="0.0.0.0/0", port=_HTTPS, opts=child
            ),
            allow_egress(
                f"{name}-functions-postgres",
                functions.id,
                target_group_id=database.id,
                port=_POSTGRES,
                opts=child,
            ),
            allow_ingress(
                f"{name}-database-postgres",
                database.id,
                source_group_id=functions.id,
                port=_POSTGRES,
                opts=child,
            ),
        ]
        self.functions_group_id, self.database_group_id = functions.id, database.id

    def _flow_logs(self, name: str, child: pulumi.ResourceOptions) -> None:
        logs = cloudwatch.LogGroup(f"{name}-flow-logs", retention_in_days=90, opts=child)
        role = iam.Role(
            f"{name}-flow-role",
            assume_role_policy=trust(
                "vpc-flow-logs.amazonaws.com",
                when={"StringEquals": {"aws:SourceAccount": account(self._vpc.arn)}},
            ),
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
