"""The simulated DigitalOcean: a row for each resource type of the integrated stack.

Inputs, required ones and types of outputs come from the installed SDK. What replaces a resource is
in catalog/replacement.yaml, with its source. Not simulated: a lower `version`
also replaces a KubernetesCluster.
"""

from collections.abc import Mapping
from typing import Any

from tests.support.accounts.digitalocean_sizes import selling
from tests.support.clouds.kinds import Kind, looked_up
from tests.support.clouds.provider import Properties, Provider

REGION = "tor1"
_CLUSTER = "digitalocean:index/kubernetesCluster:KubernetesCluster"
_REGIONS = (
    *("nyc1", "nyc2", "nyc3", "sfo2", "sfo3", "ams3", "sgp1", "lon1", "fra1", "tor1"),
    *("blr1", "syd1", "atl1", "ric1"),
)

_SPACES_REGIONS = (
    *("ams3", "atl1", "blr1", "fra1", "lon1", "nyc3", "sfo2", "sfo3", "sgp1", "syd1", "tor1"),
)
"""The provider accepts no others: `SpacesRegions` of digitalocean/spaces/spaces_entities.go,
terraform-provider-digitalocean at 401992a (2026-08-06); NYC1 is blank in the table of
docs.digitalocean.com/products/spaces/details/availability (2026-03-23)."""


def _window(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The hour of a maintenance window is stored with seconds.

    Another form is a difference for ever (digitalocean/terraform-provider-digitalocean#1093,
    pulumi/pulumi-digitalocean#185).
    """
    windows = inputs.get("maintenanceWindows")
    if not windows:
        return {}
    stored = [{**each, "hour": f"{each['hour']}:00:00"[: len("00:00:00")]} for each in windows]
    return {"maintenanceWindows": stored}


def _settings(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A new PostgreSQL user has settings, which the provider stores and never reads again.

    A user without them is a difference in the next preview
    (digitalocean/terraform-provider-digitalocean#1610, open, 2026-09-22).
    """
    return {"settings": inputs.get("settings") or [{}]}


def _tier(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """A share has another name of its tier than the one that it was given.

    Each update tries to switch the tier, which the API refuses with 400
    (digitalocean/terraform-provider-digitalocean#1551, open, 2026-06-09; openapi#1186).
    """
    return {"performanceTier": f"PERFORMANCE_TIER_{inputs.get('performanceTier', '')}".upper()}


_ROWS: dict[str, Kind] = {
    "digitalocean:index/project:Project": Kind(
        id="{uuid}",
        outputs={"ownerUuid": "{uuid}", "ownerId": 1, "createdAt": "2026-11-22T00:00:00Z"},
        choices={"environment": ("Development", "Staging", "Production")},
    ),
    "digitalocean:index/vpc:Vpc": Kind(
        id="{uuid}",
        outputs={"vpcUrn": "do:vpc:{uuid}", "ipRange": "10.10.0.0/20"},
        choices={"region": _REGIONS},
    ),
    # Store
    "digitalocean:index/spacesBucket:SpacesBucket": Kind(
        id="{name}",
        unique=True,
        # another name is an update
        outputs={
            "bucketDomainName": "{name}.{region}.digitaloceanspaces.com",
            "bucketUrn": "do:space:{name}",
            "endpoint": "{region}.digitaloceanspaces.com",
        },
        choices={"region": _SPACES_REGIONS, "acl": ("private", "public-read")},
    ),
    "digitalocean:index/spacesBucketCorsConfiguration:SpacesBucketCorsConfiguration": Kind(
        id="{region},{bucket}", choices={"region": _SPACES_REGIONS}
    ),
    "digitalocean:index/spacesKey:SpacesKey": Kind(
        id="DO00{hex}", outputs={"accessKey": "DO00{hex}", "secretKey": "secret-of-{uuid}"}
    ),
    # Database
    "digitalocean:index/databaseCluster:DatabaseCluster": Kind(
        id="{uuid}",
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
        # docs.digitalocean.com/products/databases/postgresql/details/limits, read 2026-11-22
        sizes={"size": ("db-s-1vcpu-1gb", "db-s-2vcpu-4gb")},
        stored=_window,
    ),
    "digitalocean:index/databaseDb:DatabaseDb": Kind(id="{clusterId}/database/{name}"),
    "digitalocean:index/databaseUser:DatabaseUser": Kind(
        id="{clusterId}/user/{name}",
        outputs={"password": "password-of-{uuid}", "role": "normal"},
        stored=_settings,
    ),
    "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool": Kind(
        id="{clusterId}/{name}",
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
    # Models
    _CLUSTER: Kind(
        id="{uuid}",
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
    "digitalocean:index/kubernetesNodePool:KubernetesNodePool": Kind(id="{uuid}"),
    "digitalocean:index/nfs:Nfs": Kind(
        id="{uuid}",
        outputs={"host": "10.20.128.2", "mountPath": "/123456/{uuid}", "status": "ACTIVE"},
        choices={"region": ("atl1", "nyc2")},
        stored=_tier,
    ),
    "digitalocean:index/dedicatedInference:DedicatedInference": Kind(
        id="{uuid}",
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
        id="{dedicatedInferenceId}:{uuid}", outputs={"token": "token-of-{uuid}"}
    ),
    # Watching
    "digitalocean:index/monitorAlert:MonitorAlert": Kind(id="{uuid}", outputs={"uuid": "{uuid}"}),
    "digitalocean:index/uptimeCheck:UptimeCheck": Kind(
        id="{uuid}", choices={"type": ("ping", "http", "https")}
    ),
    "digitalocean:index/uptimeAlert:UptimeAlert": Kind(
        id="{uuid}", choices={"type": ("latency", "down", "down_global", "ssl_expiry")}
    ),
}

KINDS = looked_up(_ROWS)


class DigitalOcean(Provider):
    """Refuses machines that the region does not sell; a preview does not find out."""

    def refused(self, token: str, inputs: Properties, resources: Mapping[str, Any]) -> str:
        """The API's error for a size."""
        return _unsold(token, inputs, resources)


def _unsold(token: str, inputs: Mapping[str, Any], resources: Mapping[str, Any]) -> str:
    """The error of the API for a size that the region of a resource does not sell.

    Messages: digitalocean/terraform-provider-digitalocean#827 for a size that does not exist,
    OpenRouterLabs/spawn#2768 (Droplets, March 2026) for one that the region does not sell. The
    message of Dedicated Inference is not known; it gets the same.
    """
    match token.rpartition(":")[2]:
        case "KubernetesCluster":
            region, slugs = inputs["region"], [inputs["nodePool"]["size"]]
        case "KubernetesNodePool":
            cluster = resources.get(f"{_CLUSTER} {inputs['clusterId']}")
            if cluster is None:
                return f"404 cluster {inputs['clusterId']} not found"
            region, slugs = cluster["outputs"]["region"], [inputs["size"]]
        case "DedicatedInference":
            region = inputs["region"]
            slugs = [
                accelerator["acceleratorSlug"]
                for deployment in inputs["modelDeployments"]
                for accelerator in deployment["accelerators"]
            ]
        case _:
            return ""
    for slug in slugs:
        try:
            regions = selling(slug)
        except KeyError:
            return f"422 invalid droplet size: {slug}"
        if regions is not None and region not in regions:
            return f"422 Size is not available in this region: {slug}, {region}"
    return ""


def provider() -> Provider:
    """The plugin's one provider."""
    return DigitalOcean("digitalocean", KINDS, REGION)
