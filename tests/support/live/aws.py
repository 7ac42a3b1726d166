"""Resources of live stacks at AWS, found by tag, or by name where the tagging API lists none.

The tagging API has no IAM roles (docs.aws.amazon.com/resourcegroupstagging, Welcome); dashboards
and the log groups that RDS creates have no tags.
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
    """Every resource of a live stack in the region of live runs."""
    yield from _tagged()
    for role in _pages("iam", "list_roles", "Roles"):
        # IAM requires that the inline policies are deleted first.
        yield from _named(
            role["RoleName"],
            f"role {role['RoleName']}",
            f"for policy in $(aws iam list-role-policies --role-name {role['RoleName']} --query "
            f"PolicyNames --output text); do aws iam delete-role-policy --role-name "
            f"{role['RoleName']} --policy-name $policy; done; "
            f"aws iam delete-role --role-name {role['RoleName']}",
        )
    named = {
        "dashboard": (
            "aws cloudwatch delete-dashboards --dashboard-names",
            [
                b["DashboardName"]
                for b in _pages("cloudwatch", "list_dashboards", "DashboardEntries")
            ],
        ),
        "log group": ("aws logs delete-log-group --log-group-name", _log_groups(_RDS_LOGS)),
    }
    for kind, (command, found) in named.items():
        for name in found:
            yield from _named(name, f"{kind} {name}", f"{command} {name} --region {REGION}")


def tidy(stack: str) -> list[str]:
    """Delete the log groups that RDS created for the stack; return the deleted resources."""
    groups = _log_groups(f"{_RDS_LOGS}{stack}-")
    for name in groups:
        _client("logs").delete_log_group(logGroupName=name)
    return [f"log group {name}" for name in groups]


def _log_groups(prefix: str) -> list[str]:
    pages = _pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix)
    return [group["logGroupName"] for group in pages]


_RDS_LOGS = "/aws/rds/instance/"


def _tagged() -> Iterator[Remain]:
    filters = [{"Key": "project", "Values": [project_name()]}, {"Key": "stack"}]
    api = ("resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList")
    for found in _pages(*api, TagFilters=filters):
        arn = found["ResourceARN"]
        (stack,) = [tag["Value"] for tag in found["Tags"] if tag["Key"] == "stack"]
        if names.PATTERN.fullmatch(stack) and not _is_gone(arn):
            yield Remain(stack=stack, what=arn, delete=_command(arn))


def _named(name: str, what: str, command: str) -> Iterator[Remain]:
    if stack := names.find(name):
        yield Remain(stack=stack, what=what, delete=command)


def _is_gone(arn: str) -> bool:
    """True for a resource that AWS lists after its deletion, without charge.

    A key waits for its deletion (aws.amazon.com/kms/pricing); a deleted NAT gateway is listed for
    about an hour (docs.aws.amazon.com/vpc, delete a NAT gateway).
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
