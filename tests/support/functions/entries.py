"""Documents of an application that runs in the process of the test."""

from uuid import UUID

from functions.application import Application
from functions.storage.entry import Entry

TEXT = b"The tower was built of granite in 1841. The keeper lives on the island in summer."


async def uploaded(application: Application, name: str = "a.txt", data: bytes = TEXT) -> Entry:
    """Announce a document and put its bytes into the store."""
    entry, _ = await application.announce(name, len(data) or 1)
    await application.store.put(entry.object_key, data)
    return entry


async def queued(application: Application, name: str = "a.txt", data: bytes = TEXT) -> Entry:
    """Upload and complete a document."""
    return await application.complete(await uploaded(application, name, data))


async def summarized(application: Application, name: str = "a.txt", data: bytes = TEXT) -> Entry:
    """Upload, complete and summarize a document."""
    entry = await queued(application, name, data)
    await application.summarize(entry.id)
    return await get(application, entry.id)


async def get(application: Application, id_: UUID) -> Entry:
    """The row of a document that exists."""
    entry = await application.ledger.get(id_)
    assert entry is not None
    return entry
