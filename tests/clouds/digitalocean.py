"""The simulated DigitalOcean: a row for each resource type that the integrated stack may use.

Inputs, required ones and types of outputs come from the installed SDK. What replaces a resource is
`ForceNew` in github.com/digitalocean/terraform-provider-digitalocean, which the SDK bridges, read
on 2026-11-22 at the commit of 2026-08-06 (v2.99.1); each row names its file there. Not simulated: a
lower `version` also replaces a KubernetesCluster.
"""

from tests.clouds.kinds import Kind
from tests.clouds.provider import Provider

REGION = "tor1"
_REGIONS = (
    "nyc1",
    "nyc2",
    "nyc3",
    "sfo2",
    "sfo3",
    "ams3",
    "sgp1",
    "lon1",
    "fra1",
    "tor1",
    "blr1",
    "syd1",
    "atl1",
    "ric1",
)

KINDS: dict[str, Kind] = {
    "digitalocean:index/project:Project": Kind(
        source="project/resource_project.go",
        id="{uuid}",
        outputs={"ownerUuid": "{uuid}", "ownerId": 1, "createdAt": "2026-11-22T00:00:00Z"},
        choices={"environment": ("Development", "Staging", "Production")},
    ),
    "digitalocean:index/projectResources:ProjectResources": Kind(
        source="project/resource_project_resources.go", id="{project}", replace=("project",)
    ),
    "digitalocean:index/tag:Tag": Kind(
        source="tag/resource_tag.go", id="{name}", replace=("name",)
    ),
    "digitalocean:index/vpc:Vpc": Kind(
        source="vpc/resource_vpc.go",
        id="{uuid}",
        replace=("region", "ipRange"),
        outputs={"vpcUrn": "do:vpc:{uuid}", "ipRange": "10.10.0.0/20"},
        choices={"region": _REGIONS},
    ),
    # Store
    "digitalocean:index/spacesBucket:SpacesBucket": Kind(
        source="spaces/resource_spaces_bucket.go",
        id="{name}",
        unique=True,
        replace=("region",),  # another name is an update
        outputs={
            "bucketDomainName": "{name}.{region}.digitaloceanspaces.com",
            "bucketUrn": "do:space:{name}",
            "endpoint": "{region}.digitaloceanspaces.com",
        },
        choices={"region": _REGIONS, "acl": ("private", "public-read")},
    ),
    "digitalocean:index/spacesBucketCorsConfiguration:SpacesBucketCorsConfiguration": Kind(
        source="spaces/resource_spaces_bucket_cors_configuration.go",
        id="{region},{bucket}",
        replace=("region",),
    ),
    "digitalocean:index/spacesBucketPolicy:SpacesBucketPolicy": Kind(
        source="spaces/resource_spaces_bucket_policy.go",
        id="{region},{bucket}",
        replace=("bucket", "region"),
    ),
    "digitalocean:index/spacesBucketLogging:SpacesBucketLogging": Kind(
        source="spaces/resource_spaces_bucket_logging.go",
        id="{region},{bucket}",
        replace=("bucket", "region"),
    ),
    "digitalocean:index/spacesKey:SpacesKey": Kind(
        source="spaces/resource_spaces_key.go",
        id="DO00{hex}",
        outputs={"accessKey": "DO00{hex}", "secretKey": "secret-of-{uuid}"},
    ),
    # Database
    "digitalocean:index/databaseCluster:DatabaseCluster": Kind(
        source="database/resource_database_cluster.go",
        id="{uuid}",
        replace=("name", "engine", "privateNetworkUuid", "projectId"),
        outputs={
            "clusterUrn": "do:dbaas:{uuid}",
            "database": "defaultdb",
            "host": "{name}-do-user-1-0.g.db.ondigitalocean.com",
            "privateHost": "private-{name}-do-user-1-0.g.db.ondigitalocean.com",
            "port": 25060,
            "user": "doadmin",
            "password": "password-of-{uuid}",
            "uri": "postgresql://doadmin:password-of-{uuid}@{name}.db.ondigitalocean.com:25060"
            "/defaultdb?sslmode=require",
            "privateUri": "postgresql://doadmin:password-of-{uuid}@private-{name}"
            ".db.ondigitalocean.com:25060/defaultdb?sslmode=require",
        },
        choices={
            "engine": ("pg", "mysql", "valkey", "mongodb", "kafka", "opensearch"),
            "region": _REGIONS,
        },
        between={"nodeCount": (1, 3)},
    ),
    "digitalocean:index/databaseDb:DatabaseDb": Kind(
        source="database/resource_database_db.go",
        id="{clusterId}/database/{name}",
        replace=("clusterId", "name"),
    ),
    "digitalocean:index/databaseUser:DatabaseUser": Kind(
        source="database/resource_database_user.go",
        id="{clusterId}/user/{name}",
        replace=("clusterId", "name"),
        outputs={"password": "password-of-{uuid}", "role": "normal"},
    ),
    "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool": Kind(
        source="database/resource_database_connection_pool.go",
        id="{clusterId}/{name}",
        replace=("clusterId", "name", "dbName", "mode", "size", "user"),
        outputs={
            "host": "{name}-pool.g.db.ondigitalocean.com",
            "privateHost": "private-{name}-pool.g.db.ondigitalocean.com",
            "port": 25061,
            "password": "password-of-{uuid}",
            "uri": "postgresql://{name}:password-of-{uuid}@pool.db.ondigitalocean.com:25061",
            "privateUri": "postgresql://{name}:password-of-{uuid}@pool.db.ondigitalocean.com:25061",
        },
        choices={"mode": ("transaction", "session", "statement")},
    ),
    "digitalocean:index/databaseFirewall:DatabaseFirewall": Kind(
        source="database/resource_database_firewall.go",
        id="{clusterId}-{hex}",
        replace=("clusterId",),
    ),
    "digitalocean:index/databasePostgresqlConfig:DatabasePostgresqlConfig": Kind(
        source="database/resource_database_postgres_config.go",
        id="{clusterId}/config",
        replace=("clusterId",),
    ),
    "digitalocean:index/databaseLogsinkRsyslog:DatabaseLogsinkRsyslog": Kind(
        source="database/resource_database_logsink_rsyslog.go",
        id="{clusterId},{hex}",
        replace=("clusterId", "name"),
    ),
    "digitalocean:index/databaseLogsinkOpensearch:DatabaseLogsinkOpensearch": Kind(
        source="database/resource_database_logsink_opensearch.go",
        id="{clusterId},{hex}",
        replace=("clusterId", "name"),
    ),
    # Models
    "digitalocean:index/kubernetesCluster:KubernetesCluster": Kind(
        source="kubernetes/resource_kubernetes_cluster.go",
        id="{uuid}",
        replace=(
            "region",
            "vpcUuid",
            "clusterSubnet",
            "serviceSubnet",
            "workerSubnetUuid",
            "isolatedWorkers",
            "nodePool.size",
            "nodePool.gpuPartitionMode",
        ),
        outputs={
            "clusterUrn": "do:kubernetes:{uuid}",
            "endpoint": "https://{uuid}.k8s.ondigitalocean.com",
            "kubeConfigs": [
                {
                    "clusterCaCertificate": "certificate-of-{uuid}",
                    "expiresAt": "2026-11-29T00:00:00Z",
                    "host": "https://{uuid}.k8s.ondigitalocean.com",
                    "rawConfig": "apiVersion: v1\nkind: Config\n"
                    "clusters:\n- name: {name}\n  cluster:\n    server: https://{uuid}.k8s.ondigitalocean.com\n"
                    "users:\n- name: {name}\n  user:\n    token: token-of-{uuid}\n",
                    "token": "token-of-{uuid}",
                }
            ],
            "status": "running",
        },
        choices={"region": _REGIONS},
    ),
    "digitalocean:index/kubernetesNodePool:KubernetesNodePool": Kind(
        source="kubernetes/kubernetes.go",
        id="{uuid}",
        replace=("clusterId", "size", "gpuPartitionMode"),
    ),
    "digitalocean:index/nfs:Nfs": Kind(
        source="nfs/resource_nfs.go",
        id="{uuid}",
        replace=("name", "region", "vpcId"),
        outputs={"host": "10.20.128.2", "mountPath": "/123456/{uuid}", "status": "ACTIVE"},
        choices={"region": ("atl1", "nyc2")},
    ),
    "digitalocean:index/dedicatedInference:DedicatedInference": Kind(
        source="dedicatedinference/resource_dedicated_inference.go",
        id="{uuid}",
        replace=("region", "vpcUuid", "enablePublicEndpoint"),
        outputs={
            "privateEndpointFqdn": "private-{uuid}.inference.example.com",
            "publicEndpointFqdn": "",
            "status": "active",
        },
        given={
            "enablePublicEndpoint": {"publicEndpointFqdn": "public-{uuid}.inference.example.com"}
        },
        # The API's enumeration: DigitalOcean's OpenAPI description of 2026-08-07.
        choices={"region": ("atl1", "nyc2", "tor1")},
    ),
    "digitalocean:index/dedicatedInferenceToken:DedicatedInferenceToken": Kind(
        source="dedicatedinference/resource_dedicated_inference_token.go",
        id="{dedicatedInferenceId}:{uuid}",
        replace=("dedicatedInferenceId", "name"),
        outputs={"token": "token-of-{uuid}"},
    ),
    # Watching
    "digitalocean:index/monitorAlert:MonitorAlert": Kind(
        source="monitoring/resource_monitor_alert.go", id="{uuid}", outputs={"uuid": "{uuid}"}
    ),
    "digitalocean:index/uptimeCheck:UptimeCheck": Kind(
        source="uptime/resource_uptime_check.go",
        id="{uuid}",
        choices={"type": ("ping", "http", "https")},
    ),
    "digitalocean:index/uptimeAlert:UptimeAlert": Kind(
        source="uptime/resource_uptime_alert.go",
        id="{uuid}",
        choices={"type": ("latency", "down", "down_global", "ssl_expiry")},
    ),
}


def provider() -> Provider:
    """The plugin's one provider."""
    return Provider("digitalocean", KINDS, REGION)
