"""The memory of a worker: its program, its documents, and a process that reads each of them.

The address space of a reading process is limited (`functions.documents.sandbox`), so that a
document that needs too much ends with PARSER_LIMIT. Without the limit, the platform kills the whole
worker, and the document is tried again.
"""

PARSER_MEBIBYTES = 1024
"""Limit of a process that reads a document, where the platform has room for it."""

PROGRAM_MEBIBYTES = 128
"""A worker without documents: 69 MiB were measured on 28 November 2026, and the runtime's share."""

DOCUMENT_MEBIBYTES = 288
"""A document in the worker: its bytes (100 MiB), and its text of 20 million characters (80 MB) as
received and as decoded."""


def worker_mebibytes(*, documents: int, parser: int = PARSER_MEBIBYTES) -> int:
    """Memory of a worker that processes so many documents at the same time."""
    return PROGRAM_MEBIBYTES + documents * (DOCUMENT_MEBIBYTES + parser)


def parser_mebibytes(*, worker: int) -> int:
    """Limit of the reading process of a worker with so much memory, for one document."""
    return min(PARSER_MEBIBYTES, worker - PROGRAM_MEBIBYTES - DOCUMENT_MEBIBYTES)
