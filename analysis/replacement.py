"""Which changed inputs make a new resource, with the data of the old one gone: one row per type.

Read on 2026-11-22 in the providers that the SDKs bridge: `ForceNew` or `RequiresReplace` in the
file above the row, below internal/service of github.com/hashicorp/terraform-provider-aws and below
digitalocean of github.com/digitalocean/terraform-provider-digitalocean (v2.99.1); for Kubernetes
provider/pkg/provider/diff.go of github.com/pulumi/pulumi-kubernetes (2026-07-01); for what this
project makes itself the `diff` of its provider. A type without a row is one that nobody looked up.
"""

_NAMED = ("metadata.name", "metadata.namespace")

REPLACING: dict[str, tuple[str, ...]] = {
    # autoscaling/group_tag.go
    "aws:autoscaling/tag:Tag": ("autoscalingGroupName", "tag.key"),
    # logs/group.go
    "aws:cloudwatch/logGroup:LogGroup": ("name", "namePrefix", "logGroupClass"),
    # efs/access_point.go
    "aws:efs/accessPoint:AccessPoint": ("fileSystemId", "posixUser", "rootDirectory"),
    # efs/file_system.go
    "aws:efs/fileSystem:FileSystem": (
        "availabilityZoneName",
        "creationToken",
        "encrypted",
        "kmsKeyId",
        "performanceMode",
    ),
    # efs/mount_target.go
    "aws:efs/mountTarget:MountTarget": ("fileSystemId", "ipAddress", "subnetId"),
    # eks/access_entry.go
    "aws:eks/accessEntry:AccessEntry": ("clusterName", "principalArn", "type"),
    # eks/addon.go
    "aws:eks/addon:Addon": ("addonName", "clusterName"),
    # eks/cluster.go
    "aws:eks/cluster:Cluster": (
        "name",
        "roleArn",
        "bootstrapSelfManagedAddons",
        "accessConfig.bootstrapClusterCreatorAdminPermissions",
        "kubernetesNetworkConfig.ipFamily",
        "kubernetesNetworkConfig.serviceIpv4Cidr",
        "outpostConfig.controlPlaneInstanceType",
        "remoteNetworkConfig",
    ),
    # eks/node_group.go
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
    ),
    # eks/pod_identity_association.go
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": (
        "clusterName",
        "namespace",
        "serviceAccount",
    ),
    # kms/key.go
    "aws:kms/key:Key": (
        "customerMasterKeySpec",
        "customKeyStoreId",
        "keyUsage",
        "multiRegion",
        "xksKeyId",
    ),
    # lambda/function.go
    "aws:lambda/function:Function": ("name", "packageType", "tenancyConfig"),
    # elbv2/target_group.go
    "aws:lb/targetGroup:TargetGroup": (
        "ipAddressType",
        "name",
        "namePrefix",
        "port",
        "protocol",
        "protocolVersion",
        "targetType",
        "vpcId",
    ),
    # rds/instance.go
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
    ),
    # s3/bucket.go
    "aws:s3/bucket:Bucket": ("bucket", "bucketPrefix"),
    # secretsmanager/secret_version.go
    "aws:secretsmanager/secretVersion:SecretVersion": (
        "secretId",
        "secretString",
        "secretStringWoVersion",
        "secretBinary",
    ),
    # sqs/queue.go
    "aws:sqs/queue:Queue": ("name", "namePrefix", "fifoQueue"),
    # database/resource_database_cluster.go
    "digitalocean:index/databaseCluster:DatabaseCluster": (
        "name",
        "engine",
        "privateNetworkUuid",
        "projectId",
    ),
    # database/resource_database_connection_pool.go
    "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool": (
        "clusterId",
        "name",
        "dbName",
        "mode",
        "size",
        "user",
    ),
    # database/resource_database_db.go
    "digitalocean:index/databaseDb:DatabaseDb": ("clusterId", "name"),
    # database/resource_database_firewall.go
    "digitalocean:index/databaseFirewall:DatabaseFirewall": ("clusterId",),
    # database/resource_database_logsink_opensearch.go
    "digitalocean:index/databaseLogsinkOpensearch:DatabaseLogsinkOpensearch": ("clusterId", "name"),
    # database/resource_database_logsink_rsyslog.go
    "digitalocean:index/databaseLogsinkRsyslog:DatabaseLogsinkRsyslog": ("clusterId", "name"),
    # database/resource_database_postgres_config.go
    "digitalocean:index/databasePostgresqlConfig:DatabasePostgresqlConfig": ("clusterId",),
    # database/resource_database_user.go
    "digitalocean:index/databaseUser:DatabaseUser": ("clusterId", "name"),
    # dedicatedinference/resource_dedicated_inference.go
    "digitalocean:index/dedicatedInference:DedicatedInference": (
        "region",
        "vpcUuid",
        "enablePublicEndpoint",
    ),
    # dedicatedinference/resource_dedicated_inference_token.go
    "digitalocean:index/dedicatedInferenceToken:DedicatedInferenceToken": (
        "dedicatedInferenceId",
        "name",
    ),
    # kubernetes/resource_kubernetes_cluster.go
    "digitalocean:index/kubernetesCluster:KubernetesCluster": (
        "region",
        "vpcUuid",
        "clusterSubnet",
        "serviceSubnet",
        "workerSubnetUuid",
        "isolatedWorkers",
        "nodePool.size",
        "nodePool.gpuPartitionMode",
    ),
    # kubernetes/kubernetes.go
    "digitalocean:index/kubernetesNodePool:KubernetesNodePool": (
        "clusterId",
        "size",
        "gpuPartitionMode",
    ),
    # monitoring/resource_monitor_alert.go
    "digitalocean:index/monitorAlert:MonitorAlert": (),
    # nfs/resource_nfs.go
    "digitalocean:index/nfs:Nfs": ("name", "region", "vpcId"),
    # project/resource_project.go
    "digitalocean:index/project:Project": (),
    # project/resource_project_resources.go
    "digitalocean:index/projectResources:ProjectResources": ("project",),
    # spaces/resource_spaces_bucket.go
    "digitalocean:index/spacesBucket:SpacesBucket": ("region",),
    # spaces/resource_spaces_bucket_cors_configuration.go
    "digitalocean:index/spacesBucketCorsConfiguration:SpacesBucketCorsConfiguration": ("region",),
    # spaces/resource_spaces_bucket_logging.go
    "digitalocean:index/spacesBucketLogging:SpacesBucketLogging": ("bucket", "region"),
    # spaces/resource_spaces_bucket_policy.go
    "digitalocean:index/spacesBucketPolicy:SpacesBucketPolicy": ("bucket", "region"),
    # spaces/resource_spaces_key.go
    "digitalocean:index/spacesKey:SpacesKey": (),
    # tag/resource_tag.go
    "digitalocean:index/tag:Tag": ("name",),
    # uptime/resource_uptime_alert.go
    "digitalocean:index/uptimeAlert:UptimeAlert": (),
    # uptime/resource_uptime_check.go
    "digitalocean:index/uptimeCheck:UptimeCheck": (),
    # vpc/resource_vpc.go
    "digitalocean:index/vpc:Vpc": ("region", "ipRange"),
    "kubernetes:apps/v1:DaemonSet": (*_NAMED, "spec.selector"),
    "kubernetes:apps/v1:Deployment": (*_NAMED, "spec.selector"),
    "kubernetes:apps/v1:StatefulSet": (
        *_NAMED,
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    "kubernetes:batch/v1:Job": (
        *_NAMED,
        "spec.completions",
        "spec.parallelism",
        "spec.selector",
        "spec.template",
    ),
    "kubernetes:core/v1:ConfigMap": (*_NAMED, "data", "binaryData"),
    "kubernetes:core/v1:PersistentVolume": (
        *_NAMED,
        "spec.csi",
        "spec.hostPath",
        "spec.local",
        "spec.nfs",
        "spec.iscsi",
        "spec.fc",
    ),
    "kubernetes:core/v1:PersistentVolumeClaim": (
        *_NAMED,
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    "kubernetes:core/v1:ResourceQuota": (*_NAMED, "spec.scopes"),
    "kubernetes:core/v1:Secret": (*_NAMED, "type", "data", "stringData"),
    "kubernetes:core/v1:Service": (*_NAMED, "spec.clusterIP"),
    "kubernetes:helm.sh/v3:Release": ("name", "namespace"),
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding": (*_NAMED, "roleRef"),
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": (*_NAMED, "roleRef"),
    "kubernetes:storage.k8s.io/v1:StorageClass": (*_NAMED, "parameters", "provisioner"),
    "pulumi-python:dynamic/digitalocean:Certificate": ("cluster",),
    "pulumi-python:dynamic/digitalocean:DatabaseOwner": ("host", "port", "database", "role"),
    "pulumi-python:dynamic/digitalocean:Function": ("namespace", "package", "name"),
    "pulumi-python:dynamic/digitalocean:InvocationKey": ("namespace",),
    "pulumi-python:dynamic/digitalocean:Namespace": ("label", "region", "package"),
    "pulumi-python:dynamic/digitalocean:Trigger": ("namespace", "name", "function"),
    "pulumi-python:dynamic/local:Folder": ("path",),
    "pulumi-python:dynamic/seamless:GeneratedSecret": ("bytes",),
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
