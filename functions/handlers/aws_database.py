"""Who owns the database at AWS: a function of its own, because only one in the network can ask it.

RDS makes one role, the master user, and its API grants nothing to others. This function alone may
read that user's password. It runs when something is deployed, and nobody else calls it.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from functions.handlers.authorities import trust
from functions.secrets_aws import resolve, secrets_manager

log = logging.getLogger(__name__)


def own(_event: Mapping[str, Any], _context: object) -> dict[str, str]:
    """Give the application's role its password and its database; may be repeated.

    Raises:
        psycopg.Error: when the database refuses.
    """
    trust(Path(__file__).with_name("aws_rds.pem").read_bytes())
    told = resolve(os.environ, secrets_manager())
    with psycopg.connect(
        host=told["DATABASE_HOST"],
        port=told["DATABASE_PORT"],
        dbname=told["DATABASE_NAME"],
        user=told["MASTER_USER"],
        password=told["MASTER_PASSWORD"],
        sslmode=told["DATABASE_SSLMODE"],
        sslrootcert="system" if told["DATABASE_SSLMODE"] == "verify-full" else None,
        connect_timeout=10,
    ) as connection:
        hand_over(
            connection,
            role=told["DATABASE_USER"],
            password=told["DATABASE_PASSWORD"],
            database=told["DATABASE_NAME"],
        )
    log.info("database %s is owned by %s", told["DATABASE_NAME"], told["DATABASE_USER"])
    return {"database": told["DATABASE_NAME"], "owner": told["DATABASE_USER"]}


def hand_over(
    connection: psycopg.Connection[Any], *, role: str, password: str, database: str
) -> None:
    """Make a role the owner of a database, so that it can bring its schema up to date.

    The server gets what it checks the password by, and so does its log: never the password.
    """
    name = sql.Identifier(role)
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode())
    if not connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
        connection.execute(sql.SQL("create role {}").format(name))
    connection.execute(
        sql.SQL("alter role {} with login password {}").format(name, sql.Literal(verifier.decode()))
    )
    # Whoever hands a database on must be a member of the role that receives it.
    connection.execute(sql.SQL("grant {} to current_user").format(name))
    connection.execute(
        sql.SQL("alter database {} owner to {}").format(sql.Identifier(database), name)
    )
