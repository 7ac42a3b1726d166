"""The database of the integrated arrangement: Managed PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_digitalocean as digitalocean

from components.digitalocean.certificate import Certificate
from components.digitalocean.owner import Owner

VERSION = "18"
"""Offered to new clusters: digitalocean/openapi at 7c1300c, databases/responses/options.yml."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a cluster is made of.

    Attributes:
        slug: DigitalOcean's name of a node's size.
        nodes: Primary and standby nodes together.
        pool: Connections that the pool holds: 25 for each GiB of a node, less 3 that DigitalOcean
            keeps, less a few for a person who looks.
    """

    slug: str
    nodes: int
    pool: int


SMALL = Size(slug="db-s-1vcpu-1gb", nodes=1, pool=18)
AVAILABLE = Size(slug="db-s-2vcpu-4gb", nodes=2, pool=90)
"""Survives the loss of a node."""


class Database(pulumi.ComponentResource):
    """A PostgreSQL cluster, a database, a role and a pool (see `components.contracts.Database`).

    A seam: its firewall knows droplets, clusters, apps, tags and addresses, but no functions, and
    functions have no fixed address and no VPC. So it cannot be closed to all but the functions,
    and an address rule for the whole internet would only hide that: there is none. What guards it
    is TLS verified in full against the cluster's own authority, a role that owns one database, and
    a generated password.

    Backups are daily and point in time for seven days; there is nothing to set.
    """

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    name: pulumi.Output[str]
    """Of the pool, which is what a client connects to by a database's name."""
    user: pulumi.Output[str]
    password: pulumi.Output[str]
    sslmode: Literal["disable", "require", "verify-full"] = "verify-full"
    certificate: pulumi.Output[str]
    """PEM of the authority that signed the server's certificate; no system trusts it by itself."""
    cluster: pulumi.Output[str]
    """Id of the cluster."""
    urn_in_project: pulumi.Output[str]
    """What a project knows the cluster by."""

    def __init__(
        self,
        name: str,
        *,
        region: str,
        tags: Sequence[str],
        production: bool,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        region: Of the cluster.
        tags: What its costs are sorted by.
        production: True takes the larger size, and keeps a standby.
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
            opts=pulumi.ResourceOptions(parent=self, additional_secret_outputs=["password"]),
        )
        certificate = Certificate(f"{name}-certificate", cluster=cluster.id, opts=child)
        owner = Owner(
            f"{name}-owner",
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
                # Another size replaces a pool, and a cluster has a name once (docs/traps.md).
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
        self.urn_in_project = cluster.cluster_urn
        self.register_outputs({"host": self.host, "port": self.port, "name": self.name})
