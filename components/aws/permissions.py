"""What a deployment must be allowed to do at AWS, by the type of resource that needs it.

The actions are those with which the AWS provider creates and then reads such a resource; what it
reads of an existing one besides is left out. Source: the Service Authorization Reference
(docs.aws.amazon.com/service-authorization/latest/reference), as known on 2026-11-22.
"""

from components.aws.cluster_permissions import CLUSTER_NEEDS
from components.aws.need import ROLE, Need, ec2, on

_BUCKET = "s3:::{name}"
_SECRET = "secretsmanager:{region}:{account}:secret:{name}"  # noqa: S105  # an ARN
_QUEUE = "sqs:{region}:{account}:{name}"
_TOPIC = "sns:{region}:{account}:{name}"
_RULE = "events:{region}:{account}:rule/{name}"
_FUNCTION = "lambda:{region}:{account}:function:{name}"
_APIS = "apigateway:{region}::/apis"

NEEDS: dict[str, tuple[Need, ...]] = {
    "aws:apigatewayv2/api:Api": on(_APIS, "apigateway:POST", "apigateway:GET"),
    "aws:apigatewayv2/integration:Integration": on(f"{_APIS}/*/integrations", "apigateway:POST"),
    "aws:apigatewayv2/route:Route": on(f"{_APIS}/*/routes", "apigateway:POST"),
    "aws:apigatewayv2/stage:Stage": on(f"{_APIS}/*/stages", "apigateway:POST"),
    "aws:budgets/budget:Budget": on(
        "budgets::{account}:budget/{name}", "budgets:ModifyBudget", "budgets:ViewBudget"
    ),
    "aws:cloudwatch/dashboard:Dashboard": on(
        "cloudwatch::{account}:dashboard/{name}",
        "cloudwatch:PutDashboard",
        "cloudwatch:GetDashboard",
    ),
    "aws:cloudwatch/eventRule:EventRule": on(
        _RULE, "events:PutRule", "events:DescribeRule", "events:TagResource"
    ),
    "aws:cloudwatch/eventTarget:EventTarget": on(
        _RULE, "events:PutTargets", "events:ListTargetsByRule"
    ),
    "aws:cloudwatch/logGroup:LogGroup": on(
        "logs:{region}:{account}:log-group:{name}",
        "logs:CreateLogGroup",
        "logs:DescribeLogGroups",
        "logs:PutRetentionPolicy",
        "logs:TagResource",
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": on(
        "cloudwatch:{region}:{account}:alarm:{name}",
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:TagResource",
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": ec2(
        "security-group/sg-0", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"
    ),
    "aws:ec2/eip:Eip": ec2("elastic-ip/eipalloc-0", "AllocateAddress", "DescribeAddresses"),
    "aws:ec2/flowLog:FlowLog": (
        *ec2("vpc-flow-log/fl-0", "CreateFlowLogs", "DescribeFlowLogs"),
        *on(ROLE, "iam:PassRole"),
    ),
    "aws:ec2/internetGateway:InternetGateway": ec2(
        "internet-gateway/igw-0",
        "CreateInternetGateway",
        "AttachInternetGateway",
        "DescribeInternetGateways",
    ),
    "aws:ec2/natGateway:NatGateway": ec2(
        "natgateway/nat-0", "CreateNatGateway", "DescribeNatGateways"
    ),
    "aws:ec2/routeTable:RouteTable": ec2(
        "route-table/rtb-0", "CreateRouteTable", "CreateRoute", "DescribeRouteTables"
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": ec2(
        "route-table/rtb-0", "AssociateRouteTable"
    ),
    "aws:ec2/securityGroup:SecurityGroup": ec2(
        "security-group/sg-0",
        "CreateSecurityGroup",
        "RevokeSecurityGroupEgress",
        "DescribeSecurityGroups",
    ),
    "aws:ec2/subnet:Subnet": ec2("subnet/subnet-0", "CreateSubnet", "DescribeSubnets"),
    "aws:ec2/vpc:Vpc": ec2(
        "vpc/vpc-0", "CreateVpc", "CreateTags", "ModifyVpcAttribute", "DescribeVpcs"
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": ec2(
        "vpc-endpoint/vpce-0", "CreateVpcEndpoint", "DescribeVpcEndpoints"
    ),
    "aws:iam/role:Role": on(ROLE, "iam:CreateRole", "iam:GetRole", "iam:TagRole"),
    "aws:iam/rolePolicy:RolePolicy": on(ROLE, "iam:PutRolePolicy", "iam:GetRolePolicy"),
    "aws:kms/key:Key": on(
        "kms:{region}:{account}:key/00000000-0000-0000-0000-000000000000",
        "kms:CreateKey",
        "kms:DescribeKey",
        "kms:EnableKeyRotation",
        "kms:TagResource",
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": on(
        "lambda:{region}:{account}:event-source-mapping:00000000-0000-0000-0000-000000000000",
        "lambda:CreateEventSourceMapping",
        "lambda:GetEventSourceMapping",
    ),
    "aws:lambda/function:Function": (
        *on(_FUNCTION, "lambda:CreateFunction", "lambda:GetFunction", "lambda:TagResource"),
        *on(ROLE, "iam:PassRole"),
    ),
    "aws:lambda/invocation:Invocation": on(_FUNCTION, "lambda:InvokeFunction"),
    "aws:lambda/permission:Permission": on(_FUNCTION, "lambda:AddPermission", "lambda:GetPolicy"),
    "aws:rds/instance:Instance": (
        *on(
            "rds:{region}:{account}:db:{name}",
            "rds:CreateDBInstance",
            "rds:DescribeDBInstances",
            "rds:AddTagsToResource",
        ),
        # RDS makes the password there on the caller's behalf (RDS User Guide, rds-secrets-manager).
        *on(
            "secretsmanager:{region}:{account}:secret:rds!db-0",
            "secretsmanager:CreateSecret",
            "secretsmanager:TagResource",
        ),
    ),
    "aws:rds/parameterGroup:ParameterGroup": on(
        "rds:{region}:{account}:pg:{name}",
        "rds:CreateDBParameterGroup",
        "rds:ModifyDBParameterGroup",
    ),
    "aws:rds/subnetGroup:SubnetGroup": on(
        "rds:{region}:{account}:subgrp:{name}", "rds:CreateDBSubnetGroup"
    ),
    "aws:s3/bucket:Bucket": on(_BUCKET, "s3:CreateBucket", "s3:ListBucket", "s3:PutBucketTagging"),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": on(_BUCKET, "s3:PutBucketCORS"),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": on(
        _BUCKET, "s3:PutLifecycleConfiguration"
    ),
    "aws:s3/bucketNotification:BucketNotification": on(_BUCKET, "s3:PutBucketNotification"),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": on(
        _BUCKET, "s3:PutBucketOwnershipControls"
    ),
    "aws:s3/bucketPolicy:BucketPolicy": on(_BUCKET, "s3:PutBucketPolicy"),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": on(
        _BUCKET, "s3:PutBucketPublicAccessBlock"
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": on(
        _BUCKET, "s3:PutEncryptionConfiguration"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": on(_BUCKET, "s3:PutBucketVersioning"),
    "aws:secretsmanager/secret:Secret": on(
        _SECRET,
        "secretsmanager:CreateSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:TagResource",
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": on(
        _SECRET, "secretsmanager:PutSecretValue", "secretsmanager:GetSecretValue"
    ),
    "aws:sns/topic:Topic": on(
        _TOPIC, "sns:CreateTopic", "sns:GetTopicAttributes", "sns:TagResource"
    ),
    "aws:sns/topicPolicy:TopicPolicy": on(_TOPIC, "sns:SetTopicAttributes"),
    "aws:sns/topicSubscription:TopicSubscription": on(_TOPIC, "sns:Subscribe"),
    "aws:sqs/queue:Queue": on(_QUEUE, "sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:TagQueue"),
    "aws:sqs/queuePolicy:QueuePolicy": on(_QUEUE, "sqs:SetQueueAttributes"),
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": on(_QUEUE, "sqs:SetQueueAttributes"),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": ec2(
        "security-group/sg-0", "AuthorizeSecurityGroupEgress", "DescribeSecurityGroupRules"
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ec2(
        "security-group/sg-0", "AuthorizeSecurityGroupIngress", "DescribeSecurityGroupRules"
    ),
} | CLUSTER_NEEDS
"""By type in the plan; a test holds the list against the plan."""

GLOBAL = frozenset({"iam", "budgets"})
"""Services that answer in `us-east-1` for every region."""
