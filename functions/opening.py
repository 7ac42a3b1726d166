"""Access to an application that may not be open yet.

Opening connects to the database. The API opens it only for a request with a valid token.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

from functions.application import Application, open_application
from functions.settings import Settings
from functions.storage.ledger import Ledger
from functions.storage.object_store import open_store

OPEN_PATIENCE_SECONDS = 10.0
PROBE_PATIENCE_SECONDS = 5.0
"""An uptime check waits for the response."""


class Opening(Protocol):
    """An application that is opened on demand."""

    @property
    def settings(self) -> Settings: ...

    @property
    def uploads(self) -> str | None:
        """See `functions.storage.object_store.Store.uploads`."""

    async def application(self) -> Application:
        """Return the application; it is opened at the first call and stays open.

        Raises:
            psycopg.OperationalError: when the database is unreachable.
        """

    def ledger(self) -> AbstractAsyncContextManager[Ledger]:
        """The ledger of the open application, else one that is closed afterwards.

        Raises:
            psycopg.OperationalError: when the database is unreachable.
        """


class Opened:
    """An application that is open already."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.settings = application.settings
        self.uploads = application.store.uploads

    async def application(self) -> Application:
        """Return it."""
        return self._application

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        """Its ledger."""
        yield self._application.ledger


class OnDemand:
    """The application of a process that serves one call at a time: one connection is enough."""

    def __init__(self, settings: Settings, *, idle_seconds: int | None = None) -> None:
        """Args:
        idle_seconds: See `Ledger.open`.
        """
        self.settings = settings
        self.uploads = open_store(settings).uploads
        self.open: Application | None = None
        self._idle_seconds = idle_seconds
        self._stack = AsyncExitStack()

    async def application(self) -> Application:
        """See `Opening`."""
        if self.open is None:
            self.open = await self._stack.enter_async_context(
                open_application(
                    self.settings, ledger=self._ledger(patience_seconds=OPEN_PATIENCE_SECONDS)
                )
            )
        return self.open

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        """See `Opening`."""
        if self.open is not None:
            yield self.open.ledger
            return
        async with self._ledger(patience_seconds=PROBE_PATIENCE_SECONDS) as ledger:
            yield ledger

    async def close(self) -> None:
        """Close the application."""
        await self._stack.aclose()
        self.open = None

    def _ledger(self, *, patience_seconds: float) -> AbstractAsyncContextManager[Ledger]:
        return Ledger.open(
            self.settings.database_conninfo,
            connections=1,
            idle_seconds=self._idle_seconds,
            patience_seconds=patience_seconds,
        )
