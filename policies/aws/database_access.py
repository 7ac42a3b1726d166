"""AWS-RDS-01: database instances are not publicly accessible."""

from collections.abc import Iterator

from policies.resource import Resource
from policies.rule import ResourceRule, one_of


def _check(instance: Resource) -> Iterator[str]:
    if instance.inputs.get("publiclyAccessible") is True:  # AWS's default is false
        yield "publiclyAccessible is true."


RULE = ResourceRule(
    id="AWS-RDS-01",
    title="No database instance is publicly accessible.",
    severity="critical",
    enforcement="mandatory",
    remedy="Set publiclyAccessible to false, and put the instance into private subnets.",
    source="AWS FSBP RDS.2; CIS AWS 3.2.3; https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html",
    applies=one_of("aws:rds/instance:Instance", "aws:rds/clusterInstance:ClusterInstance"),
    check=_check,
)
