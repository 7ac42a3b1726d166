"""Which changed inputs make a new resource, with the data of the old one gone: one row per type.

Read on 2026-11-22 in the providers that the SDKs bridge: `ForceNew` or `RequiresReplace` in the
file beside the row, below internal/service of github.com/hashicorp/terraform-provider-aws and below
digitalocean of github.com/digitalocean/terraform-provider-digitalocean (v2.99.1); for Kubernetes
provider/pkg/provider/diff.go of github.com/pulumi/pulumi-kubernetes (2026-07-01); for what this
project makes itself the `diff` of its provider. A type without a row is one that nobody looked up.
"""

REPLACING: dict[str, tuple[str, ...]] = {
    "aws:autoscaling/tag:Tag": ("autoscalingGroupName", "tag.key"),  # autoscaling/group_tag.go
    "aws:cloudwatch/logGroup:LogGroup": ("name", "namePrefix", "logGroupClass"),  # logs/group.go
    "aws:eks/accessEntry:AccessEntry": (
        "clusterName",
        "principalArn",
        "type",
    ),  # eks/access_entry.go
    "aws:eks/addon:Addon": ("addonName", "clusterName"),  # eks/addon.go
    "aws:eks/cluster:Cluster": (
        "name",
        "roleArn",
        "bootstrapSelfManagedAddons",
        "accessConfig.bootstrapClusterCreatorAdminPermissions",
        "kubernetesNetworkConfig.ipFamily",
        "kubernetesNetworkConfig.serviceIpv4Cidr",
        "outpostConfig.controlPlaneInstanceType",
        "remoteNetworkConfig",
    ),  # eks/cluster.go
    "aws:eks/nodeGroup:NodeGroup": (
        "amiType",
        "capacityType",
        "clusterName",
        "diskSize",
        "instanceTypes",
        "launchTemplate.id",
        "launchTemplate.name",
        "nodeGroupName",
        "nodeGroupNamePrefix",
        "nodeRoleArn",
        "remoteAccess",
        "subnetIds",
    ),  # eks/node_group.go
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": (
        "clusterName",
        "namespace",
        "serviceAccount",
    ),  # eks/pod_identity_association.go
    "aws:kms/key:Key": (
        "customerMasterKeySpec",
        "customKeyStoreId",
        "keyUsage",
        "multiRegion",
        "xksKeyId",
    ),  # kms/key.go
    "aws:lambda/function:Function": ("name", "packageType", "tenancyConfig"),  # lambda/function.go
    "aws:rds/instance:Instance": (
        "availabilityZone",
        "characterSetName",
        "customIamInstanceProfile",
        "dbName",
        "engine",
        "kmsKeyId",
        "ncharCharacterSetName",
        "restoreToPointInTime",
        "s3Import",
        "snapshotIdentifier",
        "storageEncrypted",
        "timezone",
        "username",
    ),  # rds/instance.go
    "aws:s3/bucket:Bucket": ("bucket", "bucketPrefix"),  # s3/bucket.go
    "aws:secretsmanager/secretVersion:SecretVersion": (
        "secretId",
        "secretString",
        "secretStringWoVersion",
        "secretBinary",
    ),  # secretsmanager/secret_version.go
    "aws:sqs/queue:Queue": ("name", "namePrefix", "fifoQueue"),  # sqs/queue.go
    "digitalocean:index/databaseCluster:DatabaseCluster": (
        "name",
        "engine",
        "privateNetworkUuid",
        "projectId",
    ),  # database/resource_database_cluster.go
    "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool": (
        "clusterId",
        "name",
        "dbName",
        "mode",
        "size",
        "user",
    ),  # database/resource_database_connection_pool.go
    "digitalocean:index/databaseDb:DatabaseDb": (
        "clusterId",
        "name",
    ),  # database/resource_database_db.go
    "digitalocean:index/databaseFirewall:DatabaseFirewall": (
        "clusterId",
    ),  # database/resource_database_firewall.go
    "digitalocean:index/databaseLogsinkOpensearch:DatabaseLogsinkOpensearch": (
        "clusterId",
        "name",
    ),  # database/resource_database_logsink_opensearch.go
    "digitalocean:index/databaseLogsinkRsyslog:DatabaseLogsinkRsyslog": (
        "clusterId",
        "name",
    ),  # database/resource_database_logsink_rsyslog.go
    "digitalocean:index/databasePostgresqlConfig:DatabasePostgresqlConfig": (
        "clusterId",
    ),  # database/resource_database_postgres_config.go
    "digitalocean:index/databaseUser:DatabaseUser": (
        "clusterId",
        "name",
    ),  # database/resource_database_user.go
    "digitalocean:index/dedicatedInference:DedicatedInference": (
        "region",
        "vpcUuid",
        "enablePublicEndpoint",
    ),  # dedicatedinference/resource_dedicated_inference.go
    "digitalocean:index/dedicatedInferenceToken:DedicatedInferenceToken": (
        "dedicatedInferenceId",
        "name",
    ),  # dedicatedinference/resource_dedicated_inference_token.go
    "digitalocean:index/kubernetesCluster:KubernetesCluster": (
        "region",
        "vpcUuid",
        "clusterSubnet",
        "serviceSubnet",
        "workerSubnetUuid",
        "isolatedWorkers",
        "nodePool.size",
        "nodePool.gpuPartitionMode",
    ),  # kubernetes/resource_kubernetes_cluster.go
    "digitalocean:index/kubernetesNodePool:KubernetesNodePool": (
        "clusterId",
        "size",
        "gpuPartitionMode",
    ),  # kubernetes/kubernetes.go
    "digitalocean:index/monitorAlert:MonitorAlert": (),  # monitoring/resource_monitor_alert.go
    "digitalocean:index/project:Project": (),  # project/resource_project.go
    "digitalocean:index/projectResources:ProjectResources": (
        "project",
    ),  # project/resource_project_resources.go
    "digitalocean:index/spacesBucket:SpacesBucket": ("region",),  # spaces/resource_spaces_bucket.go
    "digitalocean:index/spacesBucketCorsConfiguration:SpacesBucketCorsConfiguration": (
        "region",
    ),  # spaces/resource_spaces_bucket_cors_configuration.go
    "digitalocean:index/spacesBucketLogging:SpacesBucketLogging": (
        "bucket",
        "region",
    ),  # spaces/resource_spaces_bucket_logging.go
    "digitalocean:index/spacesBucketPolicy:SpacesBucketPolicy": (
        "bucket",
        "region",
    ),  # spaces/resource_spaces_bucket_policy.go
    "digitalocean:index/spacesKey:SpacesKey": (),  # spaces/resource_spaces_key.go
    "digitalocean:index/tag:Tag": ("name",),  # tag/resource_tag.go
    "digitalocean:index/uptimeAlert:UptimeAlert": (),  # uptime/resource_uptime_alert.go
    "digitalocean:index/uptimeCheck:UptimeCheck": (),  # uptime/resource_uptime_check.go
    "digitalocean:index/vpc:Vpc": ("region", "ipRange"),  # vpc/resource_vpc.go
    "kubernetes:apps/v1:DaemonSet": ("metadata.name", "metadata.namespace", "spec.selector"),
    "kubernetes:apps/v1:Deployment": ("metadata.name", "metadata.namespace", "spec.selector"),
    "kubernetes:apps/v1:StatefulSet": (
        "metadata.name",
        "metadata.namespace",
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "kubernetes:batch/v1:Job": (
        "metadata.name",
        "metadata.namespace",
        "spec.completions",
        "spec.parallelism",
        "spec.selector",
        "spec.template",
    ),
    "kubernetes:core/v1:ConfigMap": ("metadata.name", "metadata.namespace", "data", "binaryData"),
    "kubernetes:core/v1:PersistentVolume": (
        "metadata.name",
        "metadata.namespace",
        "spec.csi",
        "spec.hostPath",
        "spec.local",
        "spec.nfs",
        "spec.iscsi",
        "spec.fc",
    ),
    "kubernetes:core/v1:PersistentVolumeClaim": (
        "metadata.name",
        "metadata.namespace",
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    "kubernetes:core/v1:ResourceQuota": ("metadata.name", "metadata.namespace", "spec.scopes"),
    "kubernetes:core/v1:Secret": (
        "metadata.name",
        "metadata.namespace",
        "type",
        "data",
        "stringData",
    ),
    "kubernetes:core/v1:Service": ("metadata.name", "metadata.namespace", "spec.clusterIP"),
    "kubernetes:helm.sh/v3:Release": ("name", "namespace"),
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": (
        "metadata.name",
        "metadata.namespace",
        "roleRef",
    ),
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": (
        "metadata.name",
        "metadata.namespace",
        "roleRef",
    ),
    "kubernetes:storage.k8s.io/v1:StorageClass": (
        "metadata.name",
        "metadata.namespace",
        "parameters",
        "provisioner",
    ),
    "pulumi-python:dynamic/digitalocean:Certificate": ("cluster",),
    "pulumi-python:dynamic/digitalocean:DatabaseOwner": ("host", "port", "database", "role"),
    "pulumi-python:dynamic/digitalocean:Function": ("namespace", "package", "name"),
    "pulumi-python:dynamic/digitalocean:InvocationKey": ("namespace",),
    "pulumi-python:dynamic/digitalocean:Namespace": ("label", "region", "package"),
    "pulumi-python:dynamic/digitalocean:Trigger": ("namespace", "name", "function"),
    "pulumi-python:dynamic/local:Folder": ("path",),
    "pulumi-python:dynamic/local:GeneratedSecret": ("bytes",),
    "pulumi-python:dynamic/local:PostgresServer": ("folder", "database"),
    "pulumi-python:dynamic/local:Server": ("folder",),
}
"""By type, paths of inputs: a dot leads into one. An empty row is always changed in place."""


def replaces(type_: str, path: str) -> bool | None:
    """Whether a change of this input makes a new resource; None when nobody looked the type up.

    Args:
        path: Names only: `nodePool.size`. A list's items have the path of the list.
    """
    if type_ not in REPLACING:
        return None
    return any(_overlap(path, replacing) for replacing in REPLACING[type_])


def _overlap(one: str, other: str) -> bool:
    """One lies in the other: a changed object may hold what replaces, or lie in it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
