"""The database of the local variant: PostgreSQL in a folder."""

import shutil
from pathlib import Path
from typing import Any, Literal

import pulumi
from pulumi import dynamic

from components.dynamic_provider import DynamicProvider
from components.generated_secret import GeneratedSecret
from components.local.postgres import Postgres
from components.local.process import remove_if_empty


class _Provider(DynamicProvider):
    inputs = ("folder", "database", "admin_password", "password")
    replacing = ("folder", "database")
    delete_before_replace = True

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(props["folder"], _start(props))

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        postgres = _postgres(props)
        return dynamic.ReadResult(
            id_ if postgres.data.is_dir() else "", {**props, "pid": postgres.daemon.pid() or 0}
        )

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        diff = super().diff(_id, olds, news)
        diff.changes = diff.changes or _postgres(olds).daemon.pid() is None
        return diff

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(_start(news, port_before=int(olds["port"])))

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        postgres = _postgres(props)
        postgres.daemon.stop()
        if postgres.data.is_dir():
            shutil.rmtree(postgres.data)
        postgres.daemon.remove()
        remove_if_empty(postgres.folder)


class PostgresServer(dynamic.Resource, module="local", name="PostgresServer"):
    """A PostgreSQL server with a database and a role. Deleting it deletes the data."""

    database: pulumi.Output[str]
    password: pulumi.Output[str]
    """Secret."""
    port: pulumi.Output[int]
    pid: pulumi.Output[int]

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        database: str,
        admin_password: pulumi.Input[str],
        password: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            _Provider(),
            name,
            {
                "folder": str(folder),
                "database": database,
                "admin_password": admin_password,
                "password": password,
                "port": None,
                "pid": None,
            },
            opts,
        )


class Database(pulumi.ComponentResource):
    """A PostgreSQL database on this machine (see `components.contracts.Database`).

    Creates:
    - a PostgreSQL server process with a database and a role that owns it
    - the passwords of the administrator and of the role
    """

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    name: pulumi.Output[str]
    user: pulumi.Output[str]
    password: pulumi.Output[str]
    sslmode: Literal["disable", "require", "verify-full"] = "disable"

    def __init__(
        self,
        name: str,
        *,
        folder: Path,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        folder: Folder for the data, the log and the process file.
        protect: True refuses to delete the data.
        """
        super().__init__("seamless:local:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        server = PostgresServer(
            f"{name}-server",
            folder=folder,
            database="summarizer",
            admin_password=GeneratedSecret(f"{name}-admin-password", opts=child).value,
            password=GeneratedSecret(f"{name}-password", opts=child).value,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        self.host = pulumi.Output.from_input("127.0.0.1")
        self.port = server.port
        self.name = self.user = server.database
        self.password = server.password
        self.register_outputs({"host": self.host, "port": self.port, "name": self.name})


def _postgres(props: dict[str, Any]) -> Postgres:
    return Postgres(folder=Path(props["folder"]))


def _start(props: dict[str, Any], *, port_before: int = 0) -> dict[str, Any]:
    postgres = _postgres(props)
    port = postgres.start(password=props["admin_password"], port_before=port_before)
    postgres.create_database(
        port=port,
        admin_password=props["admin_password"],
        name=props["database"],
        password=props["password"],
    )
    inputs = {name: props[name] for name in _Provider.inputs}
    return {**inputs, "port": port, "pid": postgres.daemon.pid() or 0}
