"""Prices of resources without usage: one row for each billed part of a type and size.

Only what is billed by the hour or the month has a price; what is billed by use is said to be so. A
row without a price is unknown, and so is every type without a row: unknown is never nothing.
"""

from typing import Literal

from catalog import Amount, Count, Row, Table

Per = Literal["hour", "month", "use", "nothing"]

HOURS = 730
"""Of a month, as the clouds count them."""


class Price(Row, frozen=True, kw_only=True):
    """A price of one part of a resource.

    Attributes:
        type: Pulumi's type token.
        size: Value of the input that `SIZES` names for this type; empty is any.
        only_if: Name of an input; where it is not true, this part is not billed.
        unless: Name of an input; where it is true, this part is not billed.
        part: What is billed; a type has a row for each.
        each: Paid for each of what `COUNTS` counts, else once.
        units: How many of what the source has a price for are in the part: gigabytes, days.
        usd_hour: US dollars of an hour, by the source; None is unknown, or given by the month.
        usd_month: US dollars of a month, by the source; None is unknown, or given by the hour.
        per: What they are paid for. `use` is paid by requests, bytes or seconds, and nothing at
            rest; `nothing` is part of something else, or free.
        region: Where it holds; empty is everywhere.
    """

    type: str
    size: str = ""
    only_if: str = ""
    unless: str = ""
    part: str
    each: bool = True
    units: Count = 1
    usd_hour: Amount | None = None
    usd_month: Amount | None = None
    per: Per
    region: str = ""

    @property
    def usd(self) -> float | None:
        """US dollars for what `per` names; None is unknown."""
        if self.usd_hour is not None:
            return self.units * self.usd_hour
        if self.usd_month is not None:
            return self.units * self.usd_month / (HOURS if self.per == "hour" else 1)
        return None


RDS = "aws:rds/instance:Instance"
CLUSTER = "digitalocean:index/databaseCluster:DatabaseCluster"
LAUNCH_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
DOKS = "digitalocean:index/kubernetesCluster:KubernetesCluster"
NODE_POOL = "digitalocean:index/kubernetesNodePool:KubernetesNodePool"
SERVICE = "kubernetes:core/v1:Service"

SIZES = {
    RDS: "instanceClass",
    CLUSTER: "size",
    NODE_GROUP: "instanceTypes.0",
    DOKS: "nodePool.size",
    NODE_POOL: "size",
    SERVICE: "spec.type",
}
"""Path of the input that determines the price, by type."""

COUNTS = {
    LAUNCH_TEMPLATE: "blockDeviceMappings.0.ebs.volumeSize",
    CLUSTER: "nodeCount",
    NODE_GROUP: "minimum",
    DOKS: "nodePool.nodeCount",
    NODE_POOL: "minNodes",
}
"""Path of the input with the number of units without load, by type; 1 for other types. The disk of
a launch template exists once for each node of its group."""

AWS_REGION = "us-east-1"
"""The region of the AWS prices."""

PRICES = Table("prices", Price, "type", "size", "part")
