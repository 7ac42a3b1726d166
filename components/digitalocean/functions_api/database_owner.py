"""The owner of a database, as a resource: DigitalOcean's API creates roles without any grant."""

import os
import tempfile
from time import sleep
from typing import Any

import psycopg
import pulumi
from psycopg import sql
from pulumi import dynamic

from components.digitalocean.functions_api.client import FunctionsApi
from components.dynamic_provider import DynamicProvider

TRIES, WAIT = 7, 10.0
"""Attempts, and seconds between them.

A new role or database may be absent for a while: digitalocean/terraform-provider-digitalocean#360,
#493."""


class _Provider(DynamicProvider):
    replacing = ("cluster", "host", "port", "database", "role")
    inputs = (*replacing, "certificate", "admin", "admin_password")

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        _make_owner(props)
        return dynamic.CreateResult(f"{props['database']}/{props['role']}", dict(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with FunctionsApi.open() as api:
            if api.database_ca(props["cluster"]) is None:
                return dynamic.ReadResult("", {})  # an empty id: the resource does not exist
        try:
            owner = _owner(props)
        except psycopg.OperationalError:
            # The state's password or certificate may be out of date; then `update` gets the new.
            return dynamic.ReadResult(id_, dict(props))
        return dynamic.ReadResult(id_ if owner == props["role"] else "", dict(props))

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        _make_owner(news)
        return dynamic.UpdateResult(dict(news))


class Owner(dynamic.Resource, module="digitalocean", name="DatabaseOwner"):
    """Makes a role the owner of a database, so that it can migrate its schema.

    Since PostgreSQL 15 a role may create tables only in a database that it owns, and a role from
    DigitalOcean's API owns none. Deleting this resource changes nothing in the database.

    The connection uses `sslmode=verify-full`, unless PGSSLMODE is set.
    """

    role: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        cluster: pulumi.Input[str],
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
        cluster: Id of the database cluster.
        certificate: PEM of the authority that signed the server's certificate.
        admin: The role that owns the database before.
        """
        super().__init__(
            _Provider(),
            name,
            {
                "cluster": cluster,
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


class HiddenPasswordError(RuntimeError):
    """The API did not show the administrator's password.

    It hides passwords without this scope: digitalocean/openapi at 7c1300c, database_connection.yml.
    """

    def __init__(self) -> None:
        super().__init__(
            "The password of the database's administrator is empty: DIGITALOCEAN_TOKEN lacks the "
            "scope database:view_credentials. Create a token with the scopes of "
            "docs/integrated.md, then: export DIGITALOCEAN_TOKEN=…, ./seamless pulumi refresh, and "
            "the command again."
        )


def _make_owner(props: dict[str, Any]) -> None:
    """Wait until the server has the role and the database, and make the role its owner."""
    if not props["admin_password"]:
        raise HiddenPasswordError
    for attempt in range(TRIES):
        try:
            _grant(props)
        except psycopg.Error as error:
            is_last = attempt == TRIES - 1
            if is_last or not (
                isinstance(error, psycopg.errors.UndefinedObject) or "does not exist" in str(error)
            ):
                raise
            sleep(WAIT)
        else:
            return


def _grant(props: dict[str, Any]) -> None:
    role, database = sql.Identifier(props["role"]), sql.Identifier(props["database"])
    with _connect(props) as connection:
        # Only a member of the new owner's role may change the owner.
        connection.execute(sql.SQL("grant {} to current_user").format(role))
        connection.execute(sql.SQL("alter database {} owner to {}").format(database, role))


def _owner(props: dict[str, Any]) -> str | None:
    """The owner of the database; None if the database does not exist."""
    with _connect(props) as connection:
        row = connection.execute(
            "select pg_get_userbyid(datdba) from pg_database where datname = %s",
            [props["database"]],
        ).fetchone()
    return row[0] if row else None


def _connect(props: dict[str, Any]) -> psycopg.Connection[Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:
        authority.write(props["certificate"])
        authority.flush()
        return psycopg.connect(
            host=props["host"],
            port=int(props["port"]),
            user=props["admin"],
            password=props["admin_password"],
            dbname=props["database"],
            sslmode=os.environ.get("PGSSLMODE", "verify-full"),
            sslrootcert=authority.name,
            connect_timeout=10,
            autocommit=True,
        )
