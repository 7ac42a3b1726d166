"""Lambda that makes the application's role the owner of the RDS database.

RDS creates one role, the master user; its API cannot grant a database to another role. Only this
function, which runs inside the VPC at deployment, may read the master password.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from functions.handlers.aws_secrets import resolve, secrets_manager
from functions.handlers.ca_bundle import trust

log = logging.getLogger(__name__)


def handler(_event: Mapping[str, object], _context: object) -> dict[str, str]:
    """Set the password of the application's role and its ownership; may be repeated.

    Raises:
        psycopg.Error: when the database rejects the connection or a statement.
    """
    trust(Path(__file__).with_name("aws_rds.pem").read_bytes())
    environment = resolve(os.environ, secrets_manager())
    with psycopg.connect(
        host=environment["DATABASE_HOST"],
        port=environment["DATABASE_PORT"],
        dbname=environment["DATABASE_NAME"],
        user=environment["MASTER_USER"],
        password=environment["MASTER_PASSWORD"],
        sslmode=environment["DATABASE_SSLMODE"],
        sslrootcert="system" if environment["DATABASE_SSLMODE"] == "verify-full" else None,
        connect_timeout=10,
    ) as connection:
        grant_ownership(
            connection,
            role=environment["DATABASE_USER"],
            password=environment["DATABASE_PASSWORD"],
            database=environment["DATABASE_NAME"],
        )
    log.info(
        "database %s is owned by %s", environment["DATABASE_NAME"], environment["DATABASE_USER"]
    )
    return {"database": environment["DATABASE_NAME"], "owner": environment["DATABASE_USER"]}


def grant_ownership(
    connection: psycopg.Connection[Any], *, role: str, password: str, database: str
) -> None:
    """Create a role, set its password and make it the owner of a database for its migrations.

    The statement, which the server may log, contains a SCRAM verifier instead of the password.
    """
    name = sql.Identifier(role)
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode())
    if not connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
        connection.execute(sql.SQL("create role {}").format(name))
    connection.execute(
        sql.SQL("alter role {} with login password {}").format(name, sql.Literal(verifier.decode()))
    )
    # Changing the owner requires membership in the new owner's role.
    connection.execute(sql.SQL("grant {} to current_user").format(name))
    connection.execute(
        sql.SQL("alter database {} owner to {}").format(sql.Identifier(database), name)
    )
