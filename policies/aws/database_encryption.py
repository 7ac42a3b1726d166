"""AWS-RDS-02: database storage is encrypted."""

from collections.abc import Iterator

from policies.resource import Hidden, Resource
from policies.rule import ResourceRule, one_of


def _check(database: Resource) -> Iterator[str]:
    encrypted = database.inputs.get("storageEncrypted")
    if encrypted is None:
        yield "storageEncrypted is not set, and the default of AWS is false."
    elif encrypted is not True and not isinstance(encrypted, Hidden):
        yield "storageEncrypted is false."


RULE = ResourceRule(
    id="AWS-RDS-02",
    title="Every database's storage is encrypted.",
    severity="critical",
    enforcement="mandatory",
    remedy="Set storageEncrypted to true. It applies only to a new database: restore an existing "
    "one from an encrypted snapshot.",
    source="AWS FSBP RDS.3; CIS AWS 3.2.1; https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html",
    applies=one_of("aws:rds/instance:Instance", "aws:rds/cluster:Cluster"),
    check=_check,
)
