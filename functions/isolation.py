"""TEMPORARY stub by the lead; helper-2 replaces it."""

import asyncio
from pathlib import Path

from functions.documents import DEFAULT_LIMITS, Document, Limits, read


async def read_isolated(data: bytes | Path, *, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Stub."""
    assert isinstance(data, bytes)
    return await asyncio.to_thread(read, data, limits=limits)
