"""The database of the integrated variant: Managed PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_digitalocean as digitalocean

from components.digitalocean.functions_api.certificate import Certificate
from components.digitalocean.functions_api.database_owner import Owner

VERSION = "18"
"""Version of a new cluster: digitalocean/openapi at 7c1300c, databases/responses/options.yml."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """Size of a cluster.

    Attributes:
        slug: DigitalOcean's name of a node's size.
        nodes: Primary and standby nodes together.
        pool: Connections in the pool: 25 for each GiB of a node, minus 3 that DigitalOcean
            reserves, minus a few for administration.
    """

    slug: str
    nodes: int
    pool: int


SMALL = Size(slug="db-s-1vcpu-1gb", nodes=1, pool=18)
AVAILABLE = Size(slug="db-s-2vcpu-4gb", nodes=2, pool=90)
"""Survives the loss of a node."""


class Database(pulumi.ComponentResource):
    """Managed PostgreSQL (see `components.contracts.Database`).

    Creates:
    - a PostgreSQL cluster
    - a database and a role that owns it
    - a connection pool in transaction mode

    Limitation: the cluster's firewall has rules for droplets, clusters, apps, tags and addresses,
    but not for functions, which have no fixed address and no VPC. So no rule can admit the
    functions alone, and a rule for all addresses would only hide that: there is no rule. TLS with
    full verification, a role that owns one database and a generated password protect the database.

    DigitalOcean makes daily backups with point-in-time recovery for seven days, without settings.
    """

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    name: pulumi.Output[str]
    """Name of the pool; a client connects to it as to a database."""
    user: pulumi.Output[str]
    password: pulumi.Output[str]
    sslmode: Literal["disable", "require", "verify-full"] = "verify-full"
    certificate: pulumi.Output[str]
    """PEM of the CA that signed the server's certificate; systems do not trust it by default."""
    cluster: pulumi.Output[str]
    """Id of the cluster."""
    project_urn: pulumi.Output[str]
    """URN of the cluster in DigitalOcean's projects."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        tags: Sequence[str],
        production: bool,
        protect: bool,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        region: Region of the cluster.
        tags: Tags of the cluster, by which costs are grouped.
        production: True takes the larger size with a standby node.
        protect: True refuses to delete the data.
        """
        super().__init__("seamless:digitalocean:Database", name, None, opts)
        size = AVAILABLE if production else SMALL
        child = pulumi.ResourceOptions(parent=self)
        cluster = digitalocean.DatabaseCluster(
            f"{name}-cluster",
            engine="pg",
            version=VERSION,
            size=size.slug,
            node_count=size.nodes,
            region=region,
            maintenance_windows=[
                digitalocean.DatabaseClusterMaintenanceWindowArgs(day="sunday", hour="04:00:00")
            ],
            tags=list(tags),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(after),
                protect=protect,
                additional_secret_outputs=["password", "uri", "private_uri"],
            ),
        )
        database = digitalocean.DatabaseDb(
            f"{name}-database",
            cluster_id=cluster.id,
            name="summarizer",
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        role = digitalocean.DatabaseUser(
            f"{name}-role",
            cluster_id=cluster.id,
            name="summarizer",
            opts=pulumi.ResourceOptions(
                parent=self,
                additional_secret_outputs=["password"],
                # DigitalOcean adds settings, which the next preview would remove
                # (digitalocean/terraform-provider-digitalocean#1610).
                ignore_changes=["settings"],
            ),
        )
        certificate = Certificate(f"{name}-certificate", cluster=cluster.id, opts=child)
        owner = Owner(
            f"{name}-owner",
            cluster=cluster.id,
            host=cluster.host,
            port=cluster.port,
            certificate=certificate.pem,
            admin=cluster.user,
            admin_password=cluster.password,
            database=database.name,
            role=role.name,
            opts=child,
        )
        pool = digitalocean.DatabaseConnectionPool(
            f"{name}-pool",
            cluster_id=cluster.id,
            name="summarizer-pool",
            mode="transaction",
            size=size.pool,
            db_name=database.name,
            user=owner.role,
            opts=pulumi.ResourceOptions(
                parent=self,
                additional_secret_outputs=["password", "uri", "private_uri"],
                # Resizing replaces the pool; its name is unique in the cluster (docs/traps.md).
                delete_before_replace=True,
            ),
        )
        self.host = pool.host
        self.port = pool.port
        self.name = pool.name
        self.user = role.name
        self.password = pulumi.Output.secret(role.password)
        self.certificate = certificate.pem
        self.cluster = cluster.id
        self.project_urn = cluster.cluster_urn
        self.register_outputs({"host": self.host, "port": self.port, "name": self.name})
