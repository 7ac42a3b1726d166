"""Prices of resources without usage: one row for each billed part of a type and size.

Each row has a source and a date. Parts that are billed by usage have no price here, only a row. A
row with price None is unknown, and so is every type without a row.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal

Per = Literal["hour", "month", "use", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Source:
    """The publisher, and the date when it was written or read; None is unknown."""

    name: str
    seen: date | None

    def __str__(self) -> str:
        return f"{self.name}, {self.seen or 'date unknown'}"


@dataclass(frozen=True, kw_only=True)
class Price:
    """A price of one part of a resource.

    Attributes:
        type: Pulumi's type token.
        size: Value of the input in `SIZES` for this type; empty is any.
        only_if: Name of an input; the part is billed only if the input is true.
        part: The billed part; a type has a row for each.
        each: True if billed for each unit in `COUNTS`, else once.
        usd: US dollars; None is unknown.
        per: Unit of the price. `use` is billed by requests, bytes or seconds, and costs nothing
            without usage; `nothing` is free, or included in another price.
        region: Region where the price holds; empty is everywhere.
        source: None is general knowledge without a source.
    """

    type: str
    size: str = ""
    only_if: str = ""
    part: str
    each: bool = True
    usd: float | None = None
    per: Per
    region: str = ""
    source: Source | None = None


RDS = "aws:rds/instance:Instance"
CLUSTER = "digitalocean:index/databaseCluster:DatabaseCluster"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
DOKS = "digitalocean:index/kubernetesCluster:KubernetesCluster"
NODE_POOL = "digitalocean:index/kubernetesNodePool:KubernetesNodePool"

SIZES = {
    RDS: "instanceClass",
    CLUSTER: "size",
    NODE_GROUP: "instanceTypes.0",
    DOKS: "nodePool.size",
    NODE_POOL: "size",
    "kubernetes:core/v1:Service": "spec.type",
}
"""Path of the input that determines the price, by type."""

COUNTS = {
    CLUSTER: "nodeCount",
    NODE_GROUP: "scalingConfig.minSize",
    DOKS: "nodePool.nodeCount",
    NODE_POOL: "minNodes",
}
"""Path of the input with the number of units without load, by type; 1 for other types."""

HOURS = 730
"""Hours of a month, as the clouds count them."""

_SEEN = date(2026, 11, 22)
AWS_REGION = "us-east-1"
"""The region of the AWS prices."""

_ALARM = Source(name="c3x.dev, secondary", seen=_SEEN)
_BUDGET = Source(name="docs.aws.amazon.com/awsaccountbilling, budgets", seen=_SEEN)
_CLUSTER = Source(name="pricecontext.com, secondary", seen=_SEEN)
_FUNCTIONS = Source(name="digitalocean.com/pricing/functions", seen=_SEEN)
_DROPLET = Source(name="gist.github.com/colinwilson, cd31bde012f6, secondary", seen=_SEEN)
_EC2 = Source(name="aws/karpenter-provider-aws, pkg/providers/pricing", seen=date(2026, 7, 20))
_EKS = Source(name="AWS containers blog, extended support pricing", seen=date(2024, 4, 1))
_HA = Source(name="docs.digitalocean.com, Kubernetes pricing", seen=_SEEN)
_INSTANCE = Source(name="infratally.com, secondary", seen=_SEEN)
_KMS = Source(name="aws.amazon.com/kms/pricing", seen=_SEEN)
_LAMBDA = Source(name="aws.amazon.com/lambda/pricing", seen=_SEEN)
_NLB = Source(name="seven public READMEs that agree, secondary", seen=_SEEN)
_NAT = Source(name="cloud-horizons.com, secondary", seen=date(2026, 5, 8))
_SPACES = Source(name="digitalocean.com/community, 5-per-space, secondary", seen=date(2018, 1, 1))
_STORAGE = Source(name="usage.ai, secondary", seen=date(2026, 6, 1))
_UPTIME = Source(name="docs.digitalocean.com/products/uptime/details", seen=date(2026, 3, 27))
_VAULT = Source(name="hivebook.wiki, secondary", seen=_SEEN)
_VPC = Source(name="factualminds.com, amazon-vpc-pricing, secondary", seen=date(2026, 6, 13))

_NAT_GATEWAY = "aws:ec2/natGateway:NatGateway"
_ALARMS = "aws:cloudwatch/metricAlarm:MetricAlarm"
_SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105  # a type
_FUNCTION = "pulumi-python:dynamic/digitalocean:Function"
_BUCKET = "digitalocean:index/spacesBucket:SpacesBucket"
_CHECK = "digitalocean:index/uptimeCheck:UptimeCheck"
SERVICE = "kubernetes:core/v1:Service"

_BY_USE = {
    "aws:apigatewayv2/api:Api": "requests",
    "aws:cloudwatch/eventRule:EventRule": "events",
    "aws:cloudwatch/logGroup:LogGroup": "bytes",
    "aws:ec2/flowLog:FlowLog": "bytes",
    "aws:efs/fileSystem:FileSystem": "bytes kept, read and written",
    "aws:s3/bucket:Bucket": "bytes and requests",
    "aws:sns/topic:Topic": "messages",
    "aws:sqs/queue:Queue": "requests",
}
_NETWORK = (
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/routeTable:RouteTable",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/subnet:Subnet",
    "aws:ec2/vpc:Vpc",
    "aws:efs/mountTarget:MountTarget",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
)
_SETTINGS = (
    "aws:apigatewayv2/integration:Integration",
    "aws:apigatewayv2/route:Route",
    "aws:apigatewayv2/stage:Stage",
    "aws:autoscaling/attachment:Attachment",
    "aws:autoscaling/tag:Tag",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:efs/accessPoint:AccessPoint",
    "aws:eks/addon:Addon",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation",
    "aws:iam/role:Role",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:lambda/eventSourceMapping:EventSourceMapping",
    "aws:lambda/invocation:Invocation",
    "aws:lambda/permission:Permission",
    "aws:lb/listener:Listener",
    "aws:lb/targetGroup:TargetGroup",
    "aws:rds/parameterGroup:ParameterGroup",
    "aws:rds/subnetGroup:SubnetGroup",
    "aws:s3/bucketCorsConfiguration:BucketCorsConfiguration",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketNotification:BucketNotification",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:secretsmanager/secretVersion:SecretVersion",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sqs/queuePolicy:QueuePolicy",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy",
    "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool",
    "digitalocean:index/databaseDb:DatabaseDb",
    "digitalocean:index/databaseUser:DatabaseUser",
    "digitalocean:index/dedicatedInferenceToken:DedicatedInferenceToken",
    "digitalocean:index/project:Project",
    "digitalocean:index/spacesBucketCorsConfiguration:SpacesBucketCorsConfiguration",
    "digitalocean:index/spacesKey:SpacesKey",
    "digitalocean:index/vpc:Vpc",
    "pulumi-python:dynamic/digitalocean:Certificate",
    "pulumi-python:dynamic/digitalocean:DatabaseOwner",
    "pulumi-python:dynamic/digitalocean:InvocationKey",
    "pulumi-python:dynamic/digitalocean:Namespace",
    "pulumi-python:dynamic/digitalocean:Trigger",
)

# fmt: off
PRICES: tuple[Price, ...] = (
    Price(type=_NAT_GATEWAY, part="gateway", usd=0.045, per="hour", region=AWS_REGION, source=_NAT),
    Price(type="aws:ec2/eip:Eip", part="public address", usd=0.005, per="hour", source=_VPC),
    Price(type=RDS, size="db.t4g.micro", part="instance, one zone",
          usd=0.016, per="hour", region=AWS_REGION, source=_INSTANCE),
    Price(type=RDS, size="db.t4g.small", part="instance, one zone",
          usd=0.032, per="hour", region=AWS_REGION, source=_INSTANCE),
    Price(type=RDS, part="20 GB of gp3, one zone",
          usd=20 * 0.115 / HOURS, per="hour", region=AWS_REGION, source=_STORAGE),
    Price(type=RDS, part="secret with the password", usd=0.40, per="month", source=_VAULT),
    Price(type=_SECRET, part="secret", usd=0.40, per="month", source=_VAULT),
    Price(type="aws:kms/key:Key", part="key", usd=1.00, per="month", source=_KMS),
    Price(type=_ALARMS, part="alarm", usd=0.10, per="month", source=_ALARM),
    Price(type="aws:cloudwatch/dashboard:Dashboard", part="dashboard", per="month"),
    Price(type="aws:budgets/budget:Budget", part="$0.02 a day after the account's first two",
          usd=0.02 * 31, per="month", source=_BUDGET),
    Price(type="aws:ec2/vpcEndpoint:VpcEndpoint", part="gateway endpoint of S3",
          usd=0.0, per="nothing", source=_NAT),
    Price(type="aws:eks/cluster:Cluster", part="control plane, standard support",
          usd=0.10, per="hour", source=_EKS),
    Price(type=NODE_GROUP, size="m7i.large", part="node",
          usd=0.1008, per="hour", region=AWS_REGION, source=_EC2),
    Price(type="aws:ec2/launchTemplate:LaunchTemplate", part="disk of each node", per="month"),
    Price(type="aws:lb/loadBalancer:LoadBalancer", part="balancer, without what passes through it",
          usd=0.0225, per="hour", region=AWS_REGION, source=_NLB),
    Price(type="aws:lambda/function:Function", part="calls", per="use", source=_LAMBDA),
    Price(type=CLUSTER, size="db-s-1vcpu-1gb", part="node",
          usd=15 / HOURS, per="hour", source=_CLUSTER),
    Price(type=_BUCKET, part="all Spaces of the account", usd=5.00, per="month", source=_SPACES),
    Price(type=_CHECK, part="check", usd=1.00 / HOURS, per="hour", source=_UPTIME),
    Price(type=DOKS, only_if="ha", part="control plane, doubled",
          each=False, usd=40.00, per="month", source=_HA),
    Price(type=DOKS, size="s-2vcpu-4gb", part="node", usd=24 / HOURS, per="hour", source=_DROPLET),
    Price(type="digitalocean:index/nfs:Nfs", part="share", per="month"),
    Price(type="digitalocean:index/dedicatedInference:DedicatedInference",
          part="GPUs, until it is destroyed", per="hour"),
    Price(type=SERVICE, size="LoadBalancer", part="balancer", per="month"),
    Price(type=_FUNCTION, part="calls", per="use", source=_FUNCTIONS),
    *(Price(type=token, part=part, per="use") for token, part in _BY_USE.items()),
    *(Price(type=token, part="the network", per="nothing", source=_VPC) for token in _NETWORK),
    *(Price(type=token, part="of something else", per="nothing") for token in _SETTINGS),
)
# fmt: on
