"""The application of the local variant: one process, a folder, a sweep."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.support import local
from tests.support.contract.application import Caller
from tests.support.contract.model import Model


@dataclass(frozen=True, kw_only=True)
class LocalHost:
    """See `tests.support.contract.application.Host`."""

    running: local.Application
    model: Model
    patience_seconds: float = 60.0

    @property
    def page_url(self) -> str:
        return f"{self.running.url}/"

    @property
    def token(self) -> str:
        return self.running.token

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.running.environment)

    def put(self, key: str, data: bytes) -> None:
        path = self.running.folder / "documents" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def deliver(self, id_: str, *, times: int) -> None:
        """The event is the complete call."""
        with Caller(self) as caller:
            for _ in range(times):
                caller.complete(id_)

    def kill_worker(self) -> None:
        """Restart the one process, as `./seamless up` does."""
        program = self.running.program
        process = psutil.Process(program.daemon.pid())
        process.kill()
        process.wait(timeout=30)
        program.start(wanted_port=urlsplit(self.running.url).port or 0)

    def later(self) -> None:
        """Do nothing: the sweep is continuous."""

    def settle(self) -> None:
        """Do nothing: events are function calls."""


@contextmanager
def local_host(folder: Path, database: dict[str, str], model: Model) -> Iterator[LocalHost]:
    """The running application."""
    with local.application(folder, database, model.environment) as running:
        yield LocalHost(running=running, model=model)
