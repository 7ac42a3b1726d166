"""The IAM actions of a call of an AWS API, and the resource that a policy names for each.

Operations whose action has another name: Amazon S3 User Guide, using-with-s3-policy-actions
("Required permissions for Amazon S3 API operations", read 2026-11-29). API Gateway's are verbs of
HTTP. A test holds the resources, and which actions have none, against AWS' Service Authorization
Reference (`reference.py`).
"""

from tests.permissions.terraform import Call

PREFIXES = {
    "Auto Scaling": "autoscaling",
    "CloudWatch": "cloudwatch",
    "CloudWatch Logs": "logs",
    "EC2": "ec2",
    "EFS": "elasticfilesystem",
    "EKS": "eks",
    "Elastic Load Balancing v2": "elasticloadbalancing",
    "EventBridge": "events",
    "IAM": "iam",
    "KMS": "kms",
    "Lambda": "lambda",
    "RDS": "rds",
    "S3": "s3",
    "SNS": "sns",
    "SQS": "sqs",
    "STS": "sts",
    "Secrets Manager": "secretsmanager",
}
"""IAM's prefix by the SDK's name of a service."""

OTHER: dict[str, dict[str, tuple[str, ...]]] = {
    "lambda": {"Invoke": ("InvokeFunction",)},
    "s3": {
        "DeleteBucketCors": ("PutBucketCORS",),
        "DeleteBucketEncryption": ("PutEncryptionConfiguration",),
        "DeleteBucketLifecycle": ("PutLifecycleConfiguration",),
        "DeleteBucketOwnershipControls": ("PutBucketOwnershipControls",),
        "DeleteBucketTagging": ("PutBucketTagging",),
        "DeleteObjects": ("DeleteObject", "DeleteObjectVersion"),
        "DeletePublicAccessBlock": ("PutBucketPublicAccessBlock",),
        "GetBucketAccelerateConfiguration": ("GetAccelerateConfiguration",),
        "GetBucketCors": ("GetBucketCORS",),
        "GetBucketEncryption": ("GetEncryptionConfiguration",),
        "GetBucketLifecycleConfiguration": ("GetLifecycleConfiguration",),
        "GetBucketNotificationConfiguration": ("GetBucketNotification",),
        "GetBucketReplication": ("GetReplicationConfiguration",),
        "GetObjectLockConfiguration": ("GetBucketObjectLockConfiguration",),
        "GetPublicAccessBlock": ("GetBucketPublicAccessBlock",),
        "HeadBucket": ("ListBucket",),
        "ListObjectVersions": ("ListBucketVersions",),
        "ListObjectsV2": ("ListBucket",),
        "PutBucketCors": ("PutBucketCORS",),
        "PutBucketEncryption": ("PutEncryptionConfiguration",),
        "PutBucketLifecycleConfiguration": ("PutLifecycleConfiguration",),
        "PutBucketNotificationConfiguration": ("PutBucketNotification",),
        "PutPublicAccessBlock": ("PutBucketPublicAccessBlock",),
    },
}
"""Actions by operation, where the name differs."""

RESOURCES = {
    "apigateway": "apigateway:{region}::/*",
    "autoscaling": "autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/*",
    "cloudwatch": "cloudwatch:{region}:{account}:alarm:{name}",
    "ec2": "ec2:{region}:{account}:*/*",
    "eks": "eks:{region}:{account}:*",
    "elasticfilesystem": "elasticfilesystem:{region}:{account}:*",
    "elasticloadbalancing": "elasticloadbalancing:{region}:{account}:*",
    "events": "events:{region}:{account}:rule/*",
    "iam": "iam::{account}:role/{name}",
    "kms": "kms:{region}:{account}:key/*",
    "lambda": "lambda:{region}:{account}:function:{name}",
    "logs": "logs:{region}:{account}:log-group:{name}",
    "rds": "rds:{region}:{account}:*",
    "s3": "s3:::{name}",
    "secretsmanager": "secretsmanager:{region}:{account}:secret:{name}",
    "sns": "sns:{region}:{account}:{name}",
    "sqs": "sqs:{region}:{account}:{name}",
}
"""The resource of a service's actions. Creation in EC2 and RDS needs several types of resource."""

SPECIAL = {
    "cloudwatch:DeleteDashboards": "cloudwatch::{account}:dashboard/{name}",
    "cloudwatch:GetDashboard": "cloudwatch::{account}:dashboard/{name}",
    "cloudwatch:PutDashboard": "cloudwatch::{account}:dashboard/{name}",
    "s3:DeleteObject": "s3:::{name}/*",
    "s3:DeleteObjectVersion": "s3:::{name}/*",
}

EVERYWHERE = (
    *("autoscaling:Describe", "ec2:Describe", "eks:CreateCluster"),
    *("elasticfilesystem:CreateFileSystem", "elasticloadbalancing:Describe", "kms:CreateKey"),
    *("kms:List", "lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping"),
    *("lambda:GetEventSourceMapping", "lambda:ListTags", "lambda:TagResource"),
    *("lambda:UpdateEventSourceMapping", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies"),
    *("sns:GetSubscriptionAttributes", "sns:Unsubscribe", "cloudwatch:DescribeAlarms"),
)
"""Prefixes of actions without a type of resource, or with one whose name no plan knows."""


def actions(call: Call) -> tuple[str, ...]:
    """The actions that a call needs."""
    if call.service == "ApiGatewayV2":
        return (f"apigateway:{call.verb}",)
    prefix = PREFIXES[call.service]
    if call.operation == "ListDirectoryBuckets":  # asks for every bucket's kind; may be refused
        return ()
    names = OTHER.get(prefix, {}).get(call.operation, (call.operation,))
    return tuple(f"{prefix}:{name}" for name in names)


def resource(action: str) -> str:
    """The ARN that a policy names, as in the table."""
    if action.startswith(EVERYWHERE):
        return "*"
    return SPECIAL.get(action) or RESOURCES[action.partition(":")[0]]
