"""The interfaces of the contract: a running application, and one on this machine."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self
from uuid import uuid4

import httpx
import psycopg

from functions.settings import Settings
from tests.support.contract.model import Model

Json = dict[str, Any]

ENDED = ("done", "failed")


class Application(Protocol):
    """A running application with its address."""

    @property
    def page_url(self) -> str:
        """Ends in a slash; the API is below it."""

    @property
    def token(self) -> str: ...

    @property
    def patience_seconds(self) -> float:
        """The timeout for a document."""

    def later(self) -> None:
        """Trigger the schedule and redeliver messages."""


class Host(Application, Protocol):
    """An application on this machine, with a platform that the tests control."""

    @property
    def model(self) -> Model:
        """The model behind the application."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of the functions."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object directly to the store."""

    def deliver(self, id_: str, *, times: int) -> None:
        """Deliver the event of a document several times."""

    def kill_worker(self) -> None:
        """Kill the process that summarizes; the platform starts another one."""

    def settle(self) -> None:
        """Wait until every event is processed."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A unique document; its mark is in the text and so in the request to the model."""

    mark: str = field(default_factory=lambda: f"mark{uuid4().hex}")

    @property
    def name(self) -> str:
        """A name with characters that a URL must encode."""
        return f"Größe + 100% {self.mark}.txt"

    @property
    def data(self) -> bytes:
        """Text of three sentences."""
        return (
            "The lighthouse on the rock of Skerryvore was lit on the first of February 1844.\n\n"
            f"Its tower of granite is 48 metres high, and its number is {self.mark}. "
            "It is automatic since 1994.\n"
        ).encode()


class Caller:
    """A client of the HTTP API, as the page is; a context manager."""

    def __init__(self, application: Application) -> None:
        self._patience = application.patience_seconds
        self.http = httpx.Client(
            base_url=application.page_url,
            headers={"Authorization": f"Bearer {application.token}"},
            timeout=60,
        )
        self.anonymous = httpx.Client(base_url=application.page_url, timeout=60)
        """A client without the token."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.anonymous.close()

    def announce(self, name: str, size: int) -> Json:
        """Request an upload URL."""
        return self._call("POST", "api/uploads", 201, json={"name": name, "size": size})

    def upload(self, name: str, data: bytes) -> str:
        """Upload a document to the store, and return its id."""
        announced = self.announce(name, len(data))
        sent = httpx.request(
            announced["method"],
            announced["upload_url"],
            headers=announced["headers"],
            content=data,
            timeout=60,
        )
        assert sent.status_code == 200, sent.text
        return str(announced["document_id"])

    def complete(self, id_: str) -> Json:
        """Complete an upload."""
        return self._call("POST", f"api/documents/{id_}/complete", 202)

    def send(self, name: str, data: bytes) -> str:
        """Upload and complete a document, and return its id."""
        id_ = self.upload(name, data)
        self.complete(id_)
        return id_

    def retry(self, id_: str) -> Json:
        """Retry a failed document."""
        return self._call("POST", f"api/documents/{id_}/retry", 202)

    def document(self, id_: str) -> Json:
        """The current document."""
        return self._call("GET", f"api/documents/{id_}", 200)

    def _call(self, method: str, path: str, status: int, **request: Any) -> Json:
        answer = self.http.request(method, path, **request)
        assert answer.status_code == status, answer.text
        body: Json = answer.json()
        return body

    def newest(self) -> list[Json]:
        """The first page of all documents."""
        documents: list[Json] = self.http.get("api/documents").json()["documents"]
        return documents

    def ended(self, id_: str, *, attempts: int = 1) -> Json:
        """A document, once it is done or failed after a number of attempts."""
        return self.until(
            id_, lambda found: found["status"] in ENDED and found["attempts"] >= attempts
        )

    def until(self, id_: str, right: Callable[[Json], bool]) -> Json:
        """A document, once a condition is true."""
        deadline, pause = time.monotonic() + self._patience, 0.02
        while not right(found := self.document(id_)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {self._patience:g} seconds it is {found}")
            time.sleep(pause)
            pause = min(2.0, pause * 1.2)
        return found


def sql(host: Host, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Execute SQL on the ledger of a host."""
    with psycopg.connect(Settings.read(host.environment).database_conninfo) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []
