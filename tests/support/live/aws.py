"""What live stacks have at AWS: by tag, and by name what the tagging API does not list.

The provider tags all it can (`components/aws/provider.py`). GetResources knows no IAM roles
(docs.aws.amazon.com/resourcegroupstagging, Welcome), and dashboards and the log groups that RDS
makes have no tag of ours.
"""

from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]  # it ships no types

from components.aws.provider import DEFAULT_REGION as REGION
from tests.support.live import names
from tests.support.live.remains import Remain
from tools.workspace import project_name

_DELETE = {
    "cloudwatch:alarm": "aws cloudwatch delete-alarms --alarm-names {id}",
    "ec2:elastic-ip": "aws ec2 release-address --allocation-id {id}",
    "ec2:internet-gateway": "aws ec2 delete-internet-gateway --internet-gateway-id {id}",
    "ec2:natgateway": "aws ec2 delete-nat-gateway --nat-gateway-id {id}",
    "ec2:route-table": "aws ec2 delete-route-table --route-table-id {id}",
    "ec2:security-group": "aws ec2 delete-security-group --group-id {id}",
    "ec2:subnet": "aws ec2 delete-subnet --subnet-id {id}",
    "ec2:vpc": "aws ec2 delete-vpc --vpc-id {id}",
    "ec2:vpc-endpoint": "aws ec2 delete-vpc-endpoints --vpc-endpoint-ids {id}",
    "kms:key": "aws kms schedule-key-deletion --key-id {id} --pending-window-in-days 7",
    "lambda:function": "aws lambda delete-function --function-name {id}",
    "logs:log-group": "aws logs delete-log-group --log-group-name {id}",
    "rds:db": "aws rds delete-db-instance --db-instance-identifier {id} --skip-final-snapshot",
    "rds:pg": "aws rds delete-db-parameter-group --db-parameter-group-name {id}",
    "rds:subgrp": "aws rds delete-db-subnet-group --db-subnet-group-name {id}",
    "s3:": "aws s3 rb --force s3://{id}",
    "secretsmanager:secret": "aws secretsmanager delete-secret --secret-id {arn} "
    "--force-delete-without-recovery",
    "sns:": "aws sns delete-topic --topic-arn {arn}",
    "sqs:": "aws sqs delete-queue --queue-url $(aws sqs get-queue-url --queue-name {id} "
    "--query QueueUrl --output text)",
}
"""The command for each kind of ARN, `SERVICE:TYPE`; the region is added."""


def look() -> Iterator[Remain]:
    """Everything that any live stack has in the region of live runs."""
    yield from _tagged()
    for role in _pages("iam", "list_roles", "Roles"):
        # Its policies are inline: IAM wants them gone first.
        yield from _named(
            role["RoleName"],
            f"role {role['RoleName']}",
            f"for policy in $(aws iam list-role-policies --role-name {role['RoleName']} --query "
            f"PolicyNames --output text); do aws iam delete-role-policy --role-name "
            f"{role['RoleName']} --policy-name $policy; done; "
            f"aws iam delete-role --role-name {role['RoleName']}",
        )
    for board in _pages("cloudwatch", "list_dashboards", "DashboardEntries"):
        name = board["DashboardName"]
        command = f"aws cloudwatch delete-dashboards --dashboard-names {name} --region {REGION}"
        yield from _named(name, f"dashboard {name}", command)
    for group in _pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=_RDS_LOGS):
        name = group["logGroupName"]
        command = f"aws logs delete-log-group --log-group-name {name} --region {REGION}"
        yield from _named(name, f"log group {name}", command)


def tidy(stack: str) -> list[str]:
    """Delete the logs that RDS keeps when its instance is gone; return what was deleted.

    RDS makes these log groups by itself, named after the instance, so no program destroys them.
    """
    logs, deleted = _client("logs"), []
    prefix = f"{_RDS_LOGS}{stack}-"
    for group in _pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
        logs.delete_log_group(logGroupName=group["logGroupName"])
        deleted.append(f"log group {group['logGroupName']}")
    return deleted


_RDS_LOGS = "/aws/rds/instance/"


def _tagged() -> Iterator[Remain]:
    filters = [{"Key": "project", "Values": [project_name()]}, {"Key": "stack"}]
    for found in _pages(
        "resourcegroupstaggingapi",
        "get_resources",
        "ResourceTagMappingList",
        TagFilters=filters,
    ):
        arn = found["ResourceARN"]
        (stack,) = [tag["Value"] for tag in found["Tags"] if tag["Key"] == "stack"]
        if names.PATTERN.fullmatch(stack) and not _is_gone(arn):
            yield Remain(stack=stack, what=arn, delete=_command(arn))


def _named(name: str, what: str, command: str) -> Iterator[Remain]:
    if stack := names.find(name):
        yield Remain(stack=stack, what=what, delete=command)


def _is_gone(arn: str) -> bool:
    """True for what AWS still lists, but neither bills nor keeps.

    A key waits for its deletion without charge (aws.amazon.com/kms/pricing); a deleted NAT gateway
    stays visible for about an hour (docs.aws.amazon.com/vpc, delete a NAT gateway).
    """
    kind, id_ = _parts(arn)
    if kind == "kms:key":
        state = _client("kms").describe_key(KeyId=arn)["KeyMetadata"]["KeyState"]
        return bool(state == "PendingDeletion")
    if kind == "ec2:natgateway":
        gateways = _client("ec2").describe_nat_gateways(
            Filters=[{"Name": "nat-gateway-id", "Values": [id_]}]
        )["NatGateways"]
        return all(gateway["State"] == "deleted" for gateway in gateways)
    return False


def _command(arn: str) -> str:
    kind, id_ = _parts(arn)
    template = _DELETE.get(kind)
    if template is None:
        return f"No command is known for {kind}: delete {arn} in the console."
    return f"{template.format(id=id_, arn=arn)} --region {REGION}"


def _parts(arn: str) -> tuple[str, str]:
    """Kind, as `_DELETE` has it, and id: `SERVICE:TYPE/ID`, `SERVICE:TYPE:ID` or `SERVICE:ID`."""
    _, _, service, _, _, rest = arn.split(":", 5)
    for separator in ":/":
        kind, found, id_ = rest.partition(separator)
        if found and f"{service}:{kind}" in _DELETE:
            return f"{service}:{kind}", id_.removesuffix(":*")
    return f"{service}:", rest


def _pages(service: str, operation: str, key: str, **more: Any) -> Iterator[dict[str, Any]]:
    for page in _client(service).get_paginator(operation).paginate(**more):
        yield from page[key]


def _client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)
