"""The simulated DigitalOcean: a row for each resource type that the integrated stack may use.

Inputs, required ones and types of outputs come from the installed SDK. What replaces a resource
was written from general knowledge of the provider and was not looked up: a simulation, not a source
of facts.
"""

from tests.clouds.kinds import Kind

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
        id="{uuid}",
        outputs={"ownerUuid": "{uuid}", "ownerId": 1, "createdAt": "2026-11-22T00:00:00Z"},
        choices={"environment": ("Development", "Staging", "Production")},
    ),
    "digitalocean:index/projectResources:ProjectResources": Kind(
        id="{project}", replace=("project",)
    ),
    "digitalocean:index/tag:Tag": Kind(id="{name}", replace=("name",)),
    "digitalocean:index/vpc:Vpc": Kind(
        id="{uuid}",
        replace=("region", "ipRange"),
        outputs={"vpcUrn": "do:vpc:{uuid}", "ipRange": "10.10.0.0/20"},
        choices={"region": _REGIONS},
    ),
    # Store
    "digitalocean:index/spacesBucket:SpacesBucket": Kind(
        id="{name}",
        unique=True,
        replace=("name", "region"),
        outputs={
            "bucketDomainName": "{name}.{region}.digitaloceanspaces.com",
            "bucketUrn": "do:space:{name}",
            "endpoint": "{region}.digitaloceanspaces.com",
        },
        choices={"region": _REGIONS, "acl": ("private", "public-read")},
    ),
    "digitalocean:index/spacesBucketCorsConfiguration:SpacesBucketCorsConfiguration": Kind(
        id="{region},{bucket}", replace=("bucket", "region")
    ),
    "digitalocean:index/spacesBucketPolicy:SpacesBucketPolicy": Kind(
        id="{region},{bucket}", replace=("bucket", "region")
    ),
    "digitalocean:index/spacesBucketLogging:SpacesBucketLogging": Kind(
        id="{region},{bucket}", replace=("bucket", "region")
    ),
    "digitalocean:index/spacesKey:SpacesKey": Kind(
        id="DO00{hex}",
        outputs={"accessKey": "DO00{hex}", "secretKey": "secret-of-{uuid}"},
    ),
    # Database
    "digitalocean:index/databaseCluster:DatabaseCluster": Kind(
        id="{uuid}",
        replace=("name", "engine", "backupRestore"),
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
        id="{clusterId}/database/{name}", replace=("clusterId", "name")
    ),
    "digitalocean:index/databaseUser:DatabaseUser": Kind(
        id="{clusterId}/user/{name}",
        replace=("clusterId", "name"),
        outputs={"password": "password-of-{uuid}", "role": "normal"},
    ),
    "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool": Kind(
        id="{clusterId}/{name}",
        replace=("clusterId", "name"),
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
        id="{clusterId}-{hex}", replace=("clusterId",)
    ),
    "digitalocean:index/databasePostgresqlConfig:DatabasePostgresqlConfig": Kind(
        id="{clusterId}/config", replace=("clusterId",)
    ),
    "digitalocean:index/databaseLogsinkRsyslog:DatabaseLogsinkRsyslog": Kind(
        id="{clusterId},{hex}", replace=("clusterId", "name")
    ),
    "digitalocean:index/databaseLogsinkOpensearch:DatabaseLogsinkOpensearch": Kind(
        id="{clusterId},{hex}", replace=("clusterId", "name")
    ),
    # Watching
    "digitalocean:index/monitorAlert:MonitorAlert": Kind(id="{uuid}", outputs={"uuid": "{uuid}"}),
    "digitalocean:index/uptimeCheck:UptimeCheck": Kind(
        id="{uuid}", choices={"type": ("ping", "http", "https")}
    ),
    "digitalocean:index/uptimeAlert:UptimeAlert": Kind(
        id="{uuid}",
        replace=("checkId",),
        choices={"type": ("latency", "down", "down_global", "ssl_expiry")},
    ),
}
