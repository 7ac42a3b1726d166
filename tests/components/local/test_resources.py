"""The local dynamic resources without an engine: creation, refresh, update and deletion."""

import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from pulumi.dynamic import ResourceProvider

from components import generated_secret
from components.local import database, object_store, server
from components.local.postgres import Postgres
from components.local.process import DaemonError
from tests.support.local import until


def provider(module: Any) -> ResourceProvider:
    fresh: ResourceProvider = module._Provider()
    return fresh


def test_a_generated_secret_is_unique_and_has_32_characters_after_its_prefix() -> None:
    secret = provider(generated_secret)
    values = {(secret.create({"bytes": 24}).outs or {})["value"] for _ in range(20)}

    assert len(values) == 20
    assert all(re.fullmatch("smls_.{32}", value) for value in values)


def test_a_deleted_folder_is_found_and_created_again(tmp_path: Path) -> None:
    """`diff` finds it for `up`, and `read` for a refresh."""
    folders, path = provider(object_store), tmp_path / "a" / "documents"
    inputs = {"path": str(path)}
    created = folders.create(inputs)
    assert folders.diff(created.id, inputs, inputs).changes is False

    path.rmdir()

    assert folders.diff(created.id, inputs, inputs).changes is True
    assert folders.read(created.id, inputs).id == ""
    folders.update(created.id, inputs, inputs)
    assert path.is_dir()
    assert path.stat().st_mode & 0o777 == 0o700


def test_another_path_replaces_a_folder() -> None:
    changed = provider(object_store).diff("a", {"path": "a"}, {"path": "b"})

    assert (changed.changes, changed.replaces) == (True, ["path"])


def test_the_deletion_of_a_folder_can_be_repeated(tmp_path: Path) -> None:
    folders, path = provider(object_store), tmp_path / "data" / "documents"
    folders.create({"path": str(path)})
    (path / "incoming").mkdir()
    (path / "incoming" / "letter.txt").write_text("Dear Sir")

    folders.delete(str(path), {"path": str(path)})
    folders.delete(str(path), {"path": str(path)})

    assert not path.parent.exists()


class TestPostgres:
    """A PostgreSQL server as a resource."""

    @pytest.fixture
    def inputs(self, tmp_path: Path) -> dict[str, Any]:
        return {
            "folder": str(tmp_path / "data"),
            "database": "summarizer",
            "admin_password": secrets.token_urlsafe(8),
            "password": secrets.token_urlsafe(8),
        }

    def test_a_stopped_server_is_started_again_with_its_data_and_deleted_completely(
        self, inputs: dict[str, Any], tmp_path: Path
    ) -> None:
        servers = provider(database)
        created = servers.create(inputs)
        outs = created.outs
        assert outs is not None
        try:
            with self._connect(outs) as connection:
                connection.execute("create table kept as select 42 as answer")
            assert servers.diff(created.id, outs, inputs).changes is False

            Postgres(folder=tmp_path / "data").daemon.stop()
            assert servers.diff(created.id, outs, inputs).changes is True
            assert servers.read(created.id, outs).outs["pid"] == 0  # type: ignore[index]

            healed = servers.update(created.id, outs, inputs).outs
            assert healed is not None
            assert healed["port"] == outs["port"]
            with self._connect(healed) as connection:
                assert connection.execute("select answer from kept").fetchone() == (42,)
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                self._connect({**healed, "password": "wrong"})
        finally:
            servers.delete(created.id, outs)
        assert not (tmp_path / "data").exists()

    def test_the_data_of_another_stack_is_refused_and_kept(
        self, inputs: dict[str, Any], tmp_path: Path
    ) -> None:
        """Its password is lost with its state; its data must not be lost."""
        servers = provider(database)
        servers.create(inputs)
        postgres = Postgres(folder=tmp_path / "data")
        postgres.daemon.stop()

        with pytest.raises(DaemonError, match="pulumi config set data_folder"):
            servers.create({**inputs, "admin_password": "another"})

        assert postgres.daemon.pid() is None
        assert (postgres.data / "PG_VERSION").read_text().strip() == "18"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root has a user to become")
    def test_as_root_without_user_namespaces_it_runs_as_the_user_nobody(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Most containers have no user namespaces. That user needs access to the folder."""
        monkeypatch.setattr("components.local.postgres._NAMESPACE", ["false"])
        with tempfile.TemporaryDirectory() as folder:
            server = Postgres(folder=Path(folder) / "data")
            with pytest.raises(DaemonError, match="the user nobody cannot access"):
                server.start(password="secret")
            assert server.daemon.pid() is None

            Path(folder).chmod(0o755)
            server.start(password="secret")
            try:
                pid = server.daemon.pid()
                assert pid is not None
                assert psutil.Process(pid).username() == "nobody"
            finally:
                server.daemon.stop()

    def _connect(self, outs: dict[str, Any]) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=outs["port"],
            dbname="summarizer",
            user="summarizer",
            password=outs["password"],
            sslmode="disable",
        )


def test_an_update_restarts_a_server_on_the_same_port(tmp_path: Path) -> None:
    servers = provider(server)
    inputs = {
        "name": "model_server",
        "module": "components.local.model_server",
        "folder": str(tmp_path / "data"),
        "environment": {"MODEL_SERVER_API_KEY": "k"},
        "wanted_port": 0,
        "code": "1",
    }
    created = servers.create(inputs)
    outs = created.outs
    assert outs is not None
    daemon = server.Program(
        name="model_server", module="", folder=tmp_path / "data", environment={}
    ).daemon
    try:
        assert servers.diff(created.id, outs, inputs).changes is False
        assert servers.diff(created.id, outs, {**inputs, "code": "2"}).changes is True

        daemon.stop()
        until(lambda: True if servers.diff(created.id, outs, inputs).changes else None)
        healed = servers.update(created.id, outs, inputs).outs

        assert healed is not None
        assert healed["port"] == outs["port"]
        assert healed["pid"] == daemon.pid() != outs["pid"]
    finally:
        servers.delete(created.id, outs)
    assert not (tmp_path / "data").exists()


def test_the_fingerprint_of_code_ignores_bytecode() -> None:
    source = server.PROJECT / "components" / "local" / "model_server"

    assert server.fingerprint([source]) == server.fingerprint([source])
    assert server.fingerprint([source]) != server.fingerprint([source / "app.py"])
