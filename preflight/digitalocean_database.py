"""Finds what a failed creation left in a database cluster, whose name a new one needs.

An error 5xx after the API created a pool leaves it outside of the state, and the next creation
answers "pool name is not available" (digitalocean/terraform-provider-digitalocean#925). The
provider also gives up when a new pool or database is not readable at once (#360, #493, and
resource_database_connection_pool.go and resource_database_db.go at 401992a, Create).
Paths and bodies: digitalocean/openapi at 7c1300c, specification/resources/databases.
"""

from collections.abc import Iterator

import httpx

from preflight.checks import Finding, StackContext
from preflight.digitalocean_sizes import UnknownError, rows_of

_CLUSTER = "digitalocean:index/databaseCluster:DatabaseCluster"

KINDS = {
    "digitalocean:index/databaseConnectionPool:DatabaseConnectionPool": ("pools", "pool"),
    "digitalocean:index/databaseUser:DatabaseUser": ("users", "user"),
    "digitalocean:index/databaseDb:DatabaseDb": ("dbs", "db"),
}
"""Part of the path, which is also the key of the list, and doctl's word. A pool is deleted first,
since it uses the others."""


def check(api: httpx.Client, context: StackContext) -> Iterator[Finding]:
    """Check that the names of new pools, roles and databases are free in a deployed cluster."""
    for cluster in (r for r in context.resources if r.type == _CLUSTER):
        if id_ := context.existing.get(cluster.urn, {}).get("id"):
            yield from _in_cluster(api, context, id_)


def _in_cluster(api: httpx.Client, context: StackContext, id_: str) -> Iterator[Finding]:
    for type_, (path, word) in KINDS.items():
        wanted = context.named(type_, "name")
        if not wanted:
            continue
        try:
            taken = {row["name"] for row in rows_of(api, f"/v2/databases/{id_}/{path}", path)}
        except UnknownError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return  # the cluster is gone
            for logical, _ in wanted:
                yield Finding(name=logical, ok=None, found=f"unknown whether it is free: {error}")
            continue
        for logical, name in wanted:
            if name in taken:
                left = Finding(
                    name=logical,
                    ok=False,
                    found=f"{logical} needs the name {name!r}, but the cluster has a {word} of "
                    "this name that is not in the stack, as a failed creation leaves it",
                    remedy="If it has no data of yours: "
                    f"doctl databases {word} delete {id_} {name}",
                )
                yield context.for_up(left)
