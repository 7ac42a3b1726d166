"""The application on this machine without an engine: the programs of the components."""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
import psutil

from components.local.postgres import Postgres
from components.local.server import Program
from functions.inference.endpoint import Endpoint
from functions.settings import Settings

EXTRACTIVE = "extractive"

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Application:
    """A running application."""

    url: str
    token: str
    folder: Path
    environment: Mapping[str, str]

    @property
    def program(self) -> Program:
        """The process."""
        return Program(
            name="host",
            module="functions.handlers.local",
            folder=self.folder,
            environment=self.environment,
        )

    def client(self) -> httpx.Client:
        """A client with the token."""
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=30
        )


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running PostgreSQL server."""

    port: int
    admin_password: str
    postgres: Postgres

    def database(self) -> dict[str, str]:
        """Create a database, and return its variables."""
        name, password = f"db_{secrets.token_hex(6)}", secrets.token_urlsafe(12)
        self.postgres.create_database(
            port=self.port, admin_password=self.admin_password, name=name, password=password
        )
        return {
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": str(self.port),
            "DATABASE_NAME": name,
            "DATABASE_USER": name,
            "DATABASE_PASSWORD": password,
            "DATABASE_SSLMODE": "disable",
        }


@contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    """A PostgreSQL server in a folder, stopped at the end."""
    server = Postgres(folder=folder)
    password = secrets.token_urlsafe(12)
    port = server.start(password=password)
    try:
        yield Server(port=port, admin_password=password, postgres=server)
    finally:
        server.daemon.stop()


@contextmanager
def model_server(folder: Path, name: str = "model_server") -> Iterator[dict[str, str]]:
    """The variables of a running local model server."""
    key = secrets.token_urlsafe(12)
    program = Program(
        name=name,
        module="components.local.model_server",
        folder=folder,
        environment={"MODEL_SERVER_API_KEY": key, "MODEL_SERVER_MODEL": EXTRACTIVE},
    )
    port = program.start()
    try:
        free = {"input_usd_per_million": 0, "output_usd_per_million": 0}
        served = endpoint(url=f"http://127.0.0.1:{port}/v1", model=EXTRACTIVE, **free)
        yield variables_of(served, keys={"serverless": key})
    finally:
        program.daemon.stop()


def endpoint(**changes: Any) -> Endpoint:
    """An endpoint without a server, with changes."""
    nowhere: dict[str, Any] = {
        "name": "serverless",
        "inference_mode": "serverless",
        "url": "http://127.0.0.1:9/v1",
        "model": "some-model",
        "context_tokens": 8192,
    }
    return Endpoint(**{**nowhere, **changes})


def variables_of(*endpoints: Endpoint, keys: Mapping[str, str]) -> dict[str, str]:
    """The variables of endpoints."""
    return {
        "INFERENCE_ENDPOINTS": msgspec.json.encode(endpoints).decode(),
        "INFERENCE_API_KEYS": json.dumps(keys),
    }


@contextmanager
def application(
    folder: Path, database: Mapping[str, str], inference: Mapping[str, str]
) -> Iterator[Application]:
    """The application as its own process, stopped at the end."""
    token = secrets.token_urlsafe(12)
    documents = folder / "documents"
    environment = {
        "VARIANT": "local",
        "INFERENCE_MODE": "serverless",
        "API_TOKEN": token,
        "STORE_URL": documents.as_uri(),
        "SWEEP_INTERVAL_SECONDS": "1",
        **database,
        **inference,
    }
    made = Application(url="", token=token, folder=folder, environment=environment)
    port = made.program.start()
    try:
        yield replace(made, url=f"http://127.0.0.1:{port}")
    finally:
        made.program.daemon.stop()


def settings(**changes: Any) -> Settings:
    """Settings without servers, with changes."""
    nowhere: dict[str, Any] = {
        "variant": "local",
        "inference_mode": "serverless",
        "api_token": "token-of-a-test",
        "store_url": "file:///nonexistent",
        "database_host": "127.0.0.1",
        "database_port": 9,
        "database_name": "nothing",
        "database_user": "user",
        "database_password": "password-of-a-test",
        "database_sslmode": "disable",
        "inference_endpoints": (endpoint(),),
    }
    given = nowhere | changes
    keys = {e.name: "key-of-a-test" for e in given["inference_endpoints"]}
    return Settings(**{"inference_api_keys": keys, **given})


def database_settings(server: Server) -> Settings:
    """Settings with a new database, without other servers."""
    variables: dict[str, Any] = {name.lower(): value for name, value in server.database().items()}
    return settings(**variables | {"database_port": server.port})


def until(found: Callable[[], T | None], *, seconds: float = 30.0) -> T:
    """Repeat a call until its result is not None, or raise TimeoutError."""
    deadline = time.monotonic() + seconds
    while (answer := found()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer within {seconds:g} seconds")
        time.sleep(0.02)
    return answer


def runs(pid: int) -> bool:
    """True when a process exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
