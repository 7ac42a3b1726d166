"""The application's role owns its database at AWS and has no other rights.

PostgreSQL is real; as at RDS, its master user may only create roles and databases.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3  # type: ignore[import-untyped]
import psycopg
import pytest

from functions.handlers import aws_database_owner
from functions.storage.ledger import Ledger
from tests.support import local


@contextmanager
def connected(postgres: local.Server, user: str, password: str, name: str) -> Iterator[Any]:
    """A connection of a role to a database."""
    with psycopg.connect(
        host="127.0.0.1",
        port=postgres.port,
        user=user,
        password=password,
        dbname=name,
        autocommit=True,
    ) as connection:
        yield connection


@pytest.fixture
def environment(postgres: local.Server, s3: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of the function, with a database of a master user."""
    name = f"rds_{os.urandom(4).hex()}"
    with connected(postgres, "postgres", postgres.admin_password, "postgres") as admin:
        admin.execute(f"create role {name}_master createdb createrole login password 'of-master'")
        admin.execute(f"create database {name} owner {name}_master")
    for key, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "of-a-test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(key, value)
    secrets = boto3.client("secretsmanager")
    master = secrets.create_secret(
        Name=f"{name}-master", SecretString=json.dumps({"password": "of-master"})
    )
    role = secrets.create_secret(Name=f"{name}-role", SecretString="of-role")
    variables = {
        "DATABASE_HOST": "127.0.0.1",
        "DATABASE_PORT": str(postgres.port),
        "DATABASE_NAME": name,
        "DATABASE_USER": f"{name}_role",
        "DATABASE_PASSWORD_SECRET_ARN": f"{role['ARN']}:::{role['VersionId']}",
        "DATABASE_SSLMODE": "disable",
        "MASTER_USER": f"{name}_master",
        "MASTER_PASSWORD_SECRET_ARN": f"{master['ARN']}:password::",
    }
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(aws_database_owner, "trust", lambda _: None)  # this database has no TLS
    return variables


@pytest.mark.anyio
async def test_the_role_can_migrate_the_schema_and_has_no_other_rights(
    environment: dict[str, str], postgres: local.Server
) -> None:
    answer = aws_database_owner.handler({}, None)

    role, name = environment["DATABASE_USER"], environment["DATABASE_NAME"]
    assert answer == {"database": name, "owner": role}
    conninfo = f"host=127.0.0.1 port={postgres.port} user={role} password=of-role dbname={name}"
    async with Ledger.open(conninfo) as ledger:
        assert await ledger.ping()
    with connected(postgres, role, "of-role", name) as connection:
        rights = connection.execute(
            "select rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls "
            "from pg_roles where rolname = current_user"
        ).fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create role another")
    assert rights == (False, False, False, False, False)


def test_a_second_call_changes_the_password_of_the_role(
    environment: dict[str, str], postgres: local.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws_database_owner.handler({}, None)
    changed = boto3.client("secretsmanager").put_secret_value(
        SecretId=f"{environment['DATABASE_NAME']}-role", SecretString="another-one"
    )
    monkeypatch.setenv("DATABASE_PASSWORD_SECRET_ARN", f"{changed['ARN']}:::{changed['VersionId']}")

    aws_database_owner.handler({}, None)

    with connected(postgres, "postgres", postgres.admin_password, "postgres") as admin:
        (verifier,) = admin.execute(
            "select rolpassword from pg_authid where rolname = %s", [environment["DATABASE_USER"]]
        ).fetchone()
    assert verifier.startswith("SCRAM-SHA-256$")
    with connected(
        postgres, environment["DATABASE_USER"], "another-one", environment["DATABASE_NAME"]
    ) as c:
        assert c.execute("select 1").fetchone() == (1,)
