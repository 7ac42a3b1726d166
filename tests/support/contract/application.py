"""What the contract's facts are about: a running application, and one that is in our hands."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import uuid4

import httpx
import psycopg

from functions.settings import Settings
from tests.support.contract.model import Model

Json = dict[str, Any]

ENDED = ("done", "failed")


class Application(Protocol):
    """A running application, of which only its address is known."""

    @property
    def page_url(self) -> str:
        """Ends in a slash; the API is below it."""

    @property
    def token(self) -> str: ...

    @property
    def checks_uploads(self) -> bool:
        """True where the store looks at the signature of an upload."""

    @property
    def patience_seconds(self) -> float:
        """How long a document may take."""

    def later(self) -> None:
        """Let happen what the platform does by and by: schedules fire, messages come back.

        At AWS nothing else starts a document that is to be tried again.
        """


class Host(Application, Protocol):
    """An application that this machine runs: what is around it does as it is told."""

    @property
    def model(self) -> Model:
        """The one that answers."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What every function is told."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object past the application."""

    def tell(self, id_: str, *, times: int) -> None:
        """Deliver the event that starts the work on a document so often."""

    def kill_worker(self) -> None:
        """End the process that summarizes, without a word; the platform starts another one."""

    def settle(self) -> None:
        """Wait until every event that was delivered has been worked on."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document that is like no other.

    Attributes:
        mark: Is in the text, so also in what the model is asked.
    """

    mark: str = field(default_factory=lambda: f"mark{uuid4().hex}")

    @property
    def name(self) -> str:
        """A name with all that has to be written differently in a URL."""
        return f"Größe + 100% {self.mark}.txt"

    @property
    def data(self) -> bytes:
        """Text of three sentences."""
        return (
            "The lighthouse on the rock of Skerryvore was lit on the first of February 1844.\n\n"
            f"Its tower of granite is 48 metres high, and its number is {self.mark}. "
            "Since 1994 nobody lives there any more.\n"
        ).encode()


class Caller:
    """Uses the HTTP API of an application as the page does; use it as a context manager."""

    def __init__(self, application: Application) -> None:
        self._patience = application.patience_seconds
        self.http = httpx.Client(
            base_url=application.page_url,
            headers={"Authorization": f"Bearer {application.token}"},
            timeout=60,
        )
        self.nobody = httpx.Client(base_url=application.page_url, timeout=60)
        """The same without the token."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()
        self.nobody.close()

    def announce(self, name: str, size: int) -> Json:
        """Say that a document is about to come; the answer says where to."""
        answer = self.http.post("api/uploads", json={"name": name, "size": size})
        assert answer.status_code == 201, answer.text
        announced: Json = answer.json()
        return announced

    def upload(self, name: str, data: bytes) -> str:
        """Announce a document and send its bytes as the answer says, past the API; its id."""
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
        """Say that the bytes are there."""
        answer = self.http.post(f"api/documents/{id_}/complete")
        assert answer.status_code == 202, answer.text
        document: Json = answer.json()
        return document

    def send(self, name: str, data: bytes) -> str:
        """Upload a document and have it summarized; its id."""
        id_ = self.upload(name, data)
        self.complete(id_)
        return id_

    def retry(self, id_: str) -> Json:
        """Have a failed document tried again."""
        answer = self.http.post(f"api/documents/{id_}/retry")
        assert answer.status_code == 202, answer.text
        document: Json = answer.json()
        return document

    def document(self, id_: str) -> Json:
        """A document as it is now."""
        answer = self.http.get(f"api/documents/{id_}")
        assert answer.status_code == 200, answer.text
        document: Json = answer.json()
        return document

    def newest(self) -> list[Json]:
        """The first page of all documents."""
        documents: list[Json] = self.http.get("api/documents").json()["documents"]
        return documents

    def ended(self, id_: str, *, attempts: int = 1) -> Json:
        """A document, once it is done or failed after so many attempts."""
        return self.until(
            id_, lambda found: found["status"] in ENDED and found["attempts"] >= attempts
        )

    def until(self, id_: str, right: Callable[[Json], bool]) -> Json:
        """A document, once it is as it should be.

        Raises:
            TimeoutError: says how it is instead.
        """
        deadline, pause = time.monotonic() + self._patience, 0.02
        while not right(found := self.document(id_)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {self._patience:g} seconds it is {found}")
            time.sleep(pause)
            pause = min(2.0, pause * 1.2)
        return found


def sql(host: Host, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Look at the ledger of a host, or change it, past the application."""
    with psycopg.connect(Settings.read(host.environment).database_conninfo) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []
