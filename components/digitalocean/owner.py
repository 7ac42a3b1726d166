"""Who owns a database, as a resource: DigitalOcean's API makes roles, but grants them nothing."""

import os
import tempfile
from typing import Any

import psycopg
import pulumi
from psycopg import sql
from pulumi import dynamic

_INPUTS = ("host", "port", "database", "role")


class _Provider(dynamic.ResourceProvider):
    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        role, database = sql.Identifier(props["role"]), sql.Identifier(props["database"])
        with _connect(props) as connection:
            # Whoever hands a database on must be a member of the role that receives it.
            connection.execute(sql.SQL("grant {} to current_user").format(role))
            connection.execute(sql.SQL("alter database {} owner to {}").format(database, role))
        return dynamic.CreateResult(f"{props['database']}/{props['role']}", dict(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with _connect(props) as connection:
            row = connection.execute(
                "select pg_get_userbyid(datdba) from pg_database where datname = %s",
                [props["database"]],
            ).fetchone()
        return dynamic.ReadResult(id_ if row == (props["role"],) else "", dict(props))

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [name for name in _INPUTS if olds.get(name) != news.get(name)]
        return dynamic.DiffResult(changes=bool(replaces), replaces=replaces)


class Owner(dynamic.Resource, module="digitalocean", name="DatabaseOwner"):
    """Makes a role the owner of a database, so that it can bring its schema up to date.

    Since PostgreSQL 15 a role may not create tables in somebody else's database, and one made by
    DigitalOcean's API owns none. Deleting this leaves the role the owner: role and database go.

    The connection is verified in full unless PGSSLMODE says otherwise.
    """

    role: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        host: pulumi.Input[str],
        port: pulumi.Input[int],
        certificate: pulumi.Input[str],
        admin: pulumi.Input[str],
        admin_password: pulumi.Input[str],
        database: pulumi.Input[str],
        role: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        certificate: PEM of the authority that signed the server's certificate.
        admin: The role that owns the database so far.
        """
        super().__init__(
            _Provider(),
            name,
            {
                "host": host,
                "port": port,
                "certificate": certificate,
                "admin": admin,
                "admin_password": pulumi.Output.secret(admin_password),
                "database": database,
                "role": role,
            },
            pulumi.ResourceOptions.merge(
                opts, pulumi.ResourceOptions(additional_secret_outputs=["admin_password"])
            ),
        )


def _connect(props: dict[str, Any]) -> psycopg.Connection[Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as trusted:
        trusted.write(props["certificate"])
        trusted.flush()
        return psycopg.connect(
            host=props["host"],
            port=int(props["port"]),
            user=props["admin"],
            password=props["admin_password"],
            dbname=props["database"],
            sslmode=os.environ.get("PGSSLMODE", "verify-full"),
            sslrootcert=trusted.name,
            connect_timeout=10,
            autocommit=True,
        )
