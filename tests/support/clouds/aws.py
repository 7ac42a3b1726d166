"""The simulated AWS: a row for each resource type of the split stack.

Inputs, required ones and types of outputs come from the installed SDK. What replaces a resource is
in catalog/replacement.yaml, with its source; the rows that have it here, and what names look like,
have no source. Not simulated: an EKS cluster whose
`encryptionConfig` is taken away, or whose role for nodes changes, is replaced too.
"""

from tests.support.clouds.aws_rules import encryption, function_limits, logging, parameters
from tests.support.clouds.eks import Aws
from tests.support.clouds.kinds import ACCOUNT, Kind, looked_up
from tests.support.clouds.provider import Provider

REGION = "us-east-1"

_EC2 = "arn:aws:ec2:{region}:{account}:"


def _ec2(prefix: str, kind: str, *replace: str, **outputs: object) -> Kind:
    """A resource that EC2 names itself."""
    return Kind(
        id=f"{prefix}-{{hex}}",
        replace=replace,
        outputs={"arn": f"{_EC2}{kind}/{prefix}-{{hex}}", "ownerId": ACCOUNT, **outputs},
    )


def _of_bucket(*replace: str) -> Kind:
    """A setting of a bucket, which has the bucket's name as its id."""
    return Kind(id="{bucket}", replace=("bucket", *replace))


_ROWS: dict[str, Kind] = {
    # Network
    "aws:ec2/vpc:Vpc": _ec2(
        "vpc", "vpc", "cidrBlock", defaultSecurityGroupId="sg-{hex}", mainRouteTableId="rtb-{hex}"
    ),
    "aws:ec2/subnet:Subnet": _ec2("subnet", "subnet", "cidrBlock", "vpcId", "availabilityZone"),
    "aws:ec2/internetGateway:InternetGateway": _ec2("igw", "internet-gateway"),
    "aws:ec2/natGateway:NatGateway": Kind(
        id="nat-{hex}", replace=("subnetId", "allocationId", "connectivityType")
    ),
    "aws:ec2/eip:Eip": Kind(
        id="eipalloc-{hex}",
        replace=("domain",),
        outputs={"allocationId": "eipalloc-{hex}", "publicIp": "198.51.100.7"},
    ),
    "aws:ec2/routeTable:RouteTable": _ec2("rtb", "route-table", "vpcId"),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Kind(
        id="rtbassoc-{hex}", replace=("subnetId", "gatewayId")
    ),
    "aws:ec2/securityGroup:SecurityGroup": _ec2(
        "sg", "security-group", "name", "namePrefix", "description", "vpcId"
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _ec2("sg", "security-group", "vpcId"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Kind(
        id="sgr-{hex}", replace=("securityGroupId",)
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Kind(
        id="sgr-{hex}", replace=("securityGroupId",)
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _ec2(
        "vpce",
        "vpc-endpoint",
        "vpcId",
        "serviceName",
        "vpcEndpointType",
        prefixListId="pl-{hex}",
        state="available",
    ),
    "aws:ec2/flowLog:FlowLog": Kind(
        id="fl-{hex}", replace=("vpcId", "trafficType", "logDestination", "iamRoleArn")
    ),
    # Store
    "aws:s3/bucket:Bucket": Kind(
        id="{bucket}",
        name="bucket",
        unique=True,
        outputs={
            "arn": "arn:aws:s3:::{bucket}",
            "bucketDomainName": "{bucket}.s3.amazonaws.com",
            "bucketRegionalDomainName": "{bucket}.s3.{region}.amazonaws.com",
        },
    ),
    "aws:s3/bucketVersioning:BucketVersioning": _of_bucket(),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _of_bucket(),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _of_bucket(),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        Kind(id="{bucket}", replace=("bucket",), stored=encryption)
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _of_bucket(),
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration": _of_bucket(),
    "aws:s3/bucketPolicy:BucketPolicy": _of_bucket(),
    "aws:s3/bucketNotification:BucketNotification": _of_bucket(),
    "aws:kms/key:Key": Kind(
        id="{uuid}", outputs={"arn": "arn:aws:kms:{region}:{account}:key/{uuid}", "keyId": "{uuid}"}
    ),
    # Queue
    "aws:sqs/queue:Queue": Kind(
        id="https://sqs.{region}.amazonaws.com/{account}/{name}",
        outputs={
            "arn": "arn:aws:sqs:{region}:{account}:{name}",
            "url": "https://sqs.{region}.amazonaws.com/{account}/{name}",
        },
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
        between={
            "visibilityTimeoutSeconds": (0, 43_200),
            "messageRetentionSeconds": (60, 1_209_600),
            "receiveWaitTimeSeconds": (0, 20),
            "delaySeconds": (0, 900),
        },
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Kind(id="{queueUrl}", replace=("queueUrl",)),
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": Kind(id="{queueUrl}", replace=("queueUrl",)),
    "aws:sns/topic:Topic": Kind(
        id="arn:aws:sns:{region}:{account}:{name}",
        replace=("name", "namePrefix", "fifoTopic"),
        outputs={"arn": "arn:aws:sns:{region}:{account}:{name}", "owner": ACCOUNT},
    ),
    "aws:sns/topicPolicy:TopicPolicy": Kind(id="{arn}", replace=("arn",)),
    "aws:sns/topicSubscription:TopicSubscription": Kind(
        id="{topic}:{uuid}",
        replace=("topic", "protocol", "endpoint"),
        outputs={"arn": "{topic}:{uuid}"},
    ),
    # Functions
    "aws:lambda/function:Function": Kind(
        id="{name}",
        outputs={
            "arn": "arn:aws:lambda:{region}:{account}:function:{name}",
            "invokeArn": "arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/"
            "arn:aws:lambda:{region}:{account}:function:{name}/invocations",
            "qualifiedArn": "arn:aws:lambda:{region}:{account}:function:{name}:$LATEST",
            "version": "$LATEST",
        },
        # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
        choices={"runtime": ("python3.11", "python3.12", "python3.13", "python3.14")},
        # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html; new accounts have
        # smaller quotas: reports name 3,008 MB
        # (https://github.com/alexcasalboni/aws-lambda-power-tuning/issues/217, read 2026-11-29).
        between={"memorySize": (128, 3_008), "timeout": (1, 900)},
        stored=logging,
        refused=function_limits,
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": Kind(
        id="{uuid}",
        replace=("eventSourceArn", "startingPosition"),
        outputs={"uuid": "{uuid}", "state": "Enabled"},
        between={"batchSize": (1, 10_000)},
    ),
    "aws:lambda/permission:Permission": Kind(
        id="{statementId}",
        name="statementId",
        replace=("action", "function", "principal", "sourceArn", "sourceAccount", "statementId"),
    ),
    "aws:lambda/invocation:Invocation": Kind(
        id="{functionName}_{hex}", replace=("functionName", "input", "qualifier", "triggers")
    ),
    "aws:iam/role:Role": Kind(
        id="{name}",
        replace=("name", "namePrefix", "path"),
        outputs={"arn": "arn:aws:iam::{account}:role/{name}", "uniqueId": "AROA{hex}"},
        between={"maxSessionDuration": (3600, 43_200)},
    ),
    "aws:iam/rolePolicy:RolePolicy": Kind(
        id="{role}:{name}", replace=("name", "namePrefix", "role")
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Kind(
        id="{role}-{hex}", replace=("role", "policyArn")
    ),
    "aws:apigatewayv2/api:Api": Kind(
        id="{hex}",
        replace=("protocolType",),
        outputs={
            "apiEndpoint": "https://{hex}.execute-api.{region}.amazonaws.com",
            "arn": "arn:aws:apigateway:{region}::/apis/{hex}",
            "executionArn": "arn:aws:execute-api:{region}:{account}:{hex}",
        },
        choices={"protocolType": ("HTTP", "WEBSOCKET")},
    ),
    "aws:apigatewayv2/integration:Integration": Kind(
        id="{hex}", replace=("apiId", "integrationType", "connectionType")
    ),
    "aws:apigatewayv2/route:Route": Kind(id="{hex}", replace=("apiId",)),
    "aws:apigatewayv2/stage:Stage": Kind(
        id="{name}",
        replace=("apiId", "name"),
        outputs={
            "invokeUrl": "https://{apiId}.execute-api.{region}.amazonaws.com/",
            "arn": "arn:aws:apigateway:{region}::/apis/{apiId}/stages/{name}",
        },
    ),
    # Schedules
    "aws:cloudwatch/eventRule:EventRule": Kind(
        id="{name}",
        replace=("name", "namePrefix", "eventBusName"),
        outputs={"arn": "arn:aws:events:{region}:{account}:rule/{name}"},
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Kind(
        id="{rule}-{hex}", name="targetId", replace=("rule", "targetId", "eventBusName")
    ),
    # Database
    "aws:rds/instance:Instance": Kind(
        id="db-{hex}",
        name="identifier",
        outputs={
            "address": "{identifier}.{hex}.{region}.rds.amazonaws.com",
            "arn": "arn:aws:rds:{region}:{account}:db:{identifier}",
            "endpoint": "{identifier}.{hex}.{region}.rds.amazonaws.com:5432",
            "port": 5432,
            "resourceId": "db-{hex}",
            "status": "available",
        },
        given={
            "manageMasterUserPassword": {
                "masterUserSecrets": [
                    {
                        "kmsKeyId": "arn:aws:kms:{region}:{account}:key/{uuid}",
                        "secretArn": "arn:aws:secretsmanager:{region}:{account}:secret:rds-{uuid}",
                        "secretStatus": "active",
                    }
                ]
            }
        },
        choices={"engine": ("postgres", "mysql", "mariadb")},
        # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
        between={"backupRetentionPeriod": (0, 35), "allocatedStorage": (20, 65_536)},
        # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
        waits=("instanceClass", "multiAz", "allocatedStorage", "engineVersion"),
    ),
    "aws:rds/subnetGroup:SubnetGroup": Kind(
        id="{name}",
        replace=("name", "namePrefix"),
        outputs={"arn": "arn:aws:rds:{region}:{account}:subgrp:{name}"},
    ),
    "aws:rds/parameterGroup:ParameterGroup": Kind(
        id="{name}",
        replace=("name", "namePrefix", "family", "description"),
        outputs={"arn": "arn:aws:rds:{region}:{account}:pg:{name}"},
        stored=parameters,
    ),
    # Secrets
    "aws:secretsmanager/secret:Secret": Kind(
        id="arn:aws:secretsmanager:{region}:{account}:secret:{name}",
        replace=("name", "namePrefix"),
        outputs={"arn": "arn:aws:secretsmanager:{region}:{account}:secret:{name}"},
        between={"recoveryWindowInDays": (0, 30)},
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Kind(
        id="{secretId}|{uuid}", outputs={"versionId": "{uuid}"}
    ),
    # Watching
    "aws:cloudwatch/logGroup:LogGroup": Kind(
        id="{name}", outputs={"arn": "arn:aws:logs:{region}:{account}:log-group:{name}"}
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": Kind(
        id="{name}", replace=("name", "logGroupName")
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Kind(
        id="{name}",
        replace=("name",),
        outputs={"arn": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"},
    ),
    "aws:cloudwatch/dashboard:Dashboard": Kind(
        id="{dashboardName}",
        replace=("dashboardName",),
        outputs={"dashboardArn": "arn:aws:cloudwatch::{account}:dashboard/{dashboardName}"},
    ),
    # Models
    "aws:eks/cluster:Cluster": Kind(
        id="{name}",
        outputs={
            "arn": "arn:aws:eks:{region}:{account}:cluster/{name}",
            "certificateAuthority": {"data": "Y2VydGlmaWNhdGU="},
            "endpoint": "https://{hex}.gr7.{region}.eks.amazonaws.com",
            "identities": [
                {"oidcs": [{"issuer": "https://oidc.eks.{region}.amazonaws.com/id/{hex}"}]}
            ],
            "status": "ACTIVE",
            "vpcConfig": {"clusterSecurityGroupId": "sg-{hex}"},
        },
    ),
    "aws:eks/nodeGroup:NodeGroup": Kind(
        id="{clusterName}:{nodeGroupName}",
        name="nodeGroupName",
        outputs={
            "arn": "arn:aws:eks:{region}:{account}:nodegroup/{clusterName}/{nodeGroupName}/{uuid}",
            "resources": [{"autoscalingGroups": [{"name": "eks-{nodeGroupName}-{uuid}"}]}],
            "status": "ACTIVE",
        },
        choices={"capacityType": ("ON_DEMAND", "SPOT", "CAPACITY_BLOCK")},
    ),
    "aws:eks/addon:Addon": Kind(
        id="{clusterName}:{addonName}",
        outputs={"arn": "arn:aws:eks:{region}:{account}:addon/{clusterName}/{addonName}/{uuid}"},
    ),
    "aws:eks/accessEntry:AccessEntry": Kind(id="{clusterName}:{principalArn}"),
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": Kind(
        id="{clusterName}#{principalArn}#{policyArn}"
    ),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": Kind(
        id="a-{hex}",
        outputs={
            "associationArn": "arn:aws:eks:{region}:{account}:podidentityassociation/"
            "{clusterName}/a-{hex}",
            "associationId": "a-{hex}",
        },
    ),
    "aws:autoscaling/tag:Tag": Kind(id="{autoscalingGroupName},{hex}"),
    "aws:autoscaling/attachment:Attachment": Kind(
        id="{autoscalingGroupName}-{hex}",
        replace=("autoscalingGroupName", "elb", "lbTargetGroupArn"),
    ),
    "aws:efs/fileSystem:FileSystem": Kind(
        id="fs-{hex}",
        outputs={"arn": "arn:aws:elasticfilesystem:{region}:{account}:file-system/fs-{hex}"},
    ),
    "aws:efs/mountTarget:MountTarget": Kind(id="fsmt-{hex}"),
    "aws:efs/accessPoint:AccessPoint": Kind(
        id="fsap-{hex}",
        outputs={"arn": "arn:aws:elasticfilesystem:{region}:{account}:access-point/fsap-{hex}"},
    ),
    "aws:lb/loadBalancer:LoadBalancer": Kind(
        id="arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/net/{name}/{hex}",
        replace=("customerOwnedIpv4Pool", "internal", "loadBalancerType", "name", "namePrefix"),
        outputs={
            "arn": "arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/net/{name}/{hex}",
            "dnsName": "{name}-{hex}.elb.{region}.amazonaws.com",
        },
    ),
    "aws:lb/targetGroup:TargetGroup": Kind(
        id="arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{hex}",
        outputs={"arn": "arn:aws:elasticloadbalancing:{region}:{account}:targetgroup/{name}/{hex}"},
    ),
    "aws:lb/listener:Listener": Kind(
        id="arn:aws:elasticloadbalancing:{region}:{account}:listener/net/{logical}/{hex}",
        replace=("loadBalancerArn",),
        outputs={
            "arn": "arn:aws:elasticloadbalancing:{region}:{account}:listener/net/{logical}/{hex}"
        },
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": Kind(
        id="lt-{hex}",
        replace=("name", "namePrefix"),
        outputs={"arn": f"{_EC2}launch-template/lt-{{hex}}", "latestVersion": 1},
    ),
    "aws:budgets/budget:Budget": Kind(
        id="{account}:{name}",
        replace=("accountId", "name", "namePrefix"),
        outputs={"accountId": ACCOUNT, "arn": "arn:aws:budgets::{account}:budget/{name}"},
        choices={"timeUnit": ("DAILY", "MONTHLY", "QUARTERLY", "ANNUALLY")},
    ),
}

KINDS = looked_up(_ROWS)


def provider() -> Provider:
    """The plugin's one provider."""
    return Aws("aws", KINDS, REGION)
