"""Extracts a document's text in a child process without secrets and with memory and time limits.

The child reads the bytes from standard input and writes JSON to standard output. Its environment
is empty, it cannot write files, and as an ordinary user it cannot start processes. This contains
what a malformed document does to a parser. It is not a sandbox against an attacker who runs code in
it: the child has the user, the network and the file system of its parent.
"""

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from functions.documents.extract import (
    DEFAULT_LIMITS,
    ExtractedText,
    Kind,
    Limits,
    read,
    refuse_size,
)
from functions.errors import Code, Failure

if TYPE_CHECKING:
    from asyncio.subprocess import Process

# Needed where the interpreter is not installed in the usual place
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_PIECE_BYTES = 1 << 20
_PACKAGE_FOLDER = str(Path(__file__).resolve().parents[2])


class _Read(msgspec.Struct, frozen=True, tag=True):
    text: str
    kind: Kind


class _Refused(msgspec.Struct, frozen=True, tag=True):
    code: Code
    message: str
    remedy: str


class _Crashed(msgspec.Struct, frozen=True, tag=True):
    error: str  # the name of an exception; its message could quote the document


async def read_isolated(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> ExtractedText:
    """Return the text of a document, read by a child process; see `documents.read`.

    Cancelling the caller kills the child.

    Raises:
        Failure: As `documents.read`; and PARSER_LIMIT when the child crashes or exceeds its memory
            or time.
        OSError: The operating system cannot start the child now, for example without memory.
    """
    import asyncio  # late: the child runs this module, too, and starts faster without

    refuse_size(len(data), limits)
    child = await _start(limits)
    try:
        async with asyncio.timeout(limits.wall_seconds):
            output = await _communicate(child, data, limits)
            status = await child.wait()
    except TimeoutError:
        raise _limit(f"takes longer than {limits.wall_seconds:g} seconds") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()  # closes its pipes
    return _result(output, status, limits)


async def _start(limits: Limits) -> "Process":
    import asyncio

    # The child gets this process's import path, so it needs neither `site` (-S: a faster start) nor
    # the working directory (-P).
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join([_PACKAGE_FOLDER, *filter(None, sys.path)])
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-S", "-P", "-m", "functions.documents.sandbox"),
        msgspec.json.encode(limits).decode(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a traceback could quote the document
        env=environment,
    )


async def _communicate(child: "Process", data: bytes, limits: Limits) -> bytes:
    import asyncio

    assert child.stdin is not None  # noqa: S101  # it was started with pipes
    assert child.stdout is not None  # noqa: S101
    with suppress(BrokenPipeError, ConnectionResetError):  # it exited; its status shows why
        for start in range(0, len(data), _PIECE_BYTES):  # the whole would be copied into a buffer
            child.stdin.write(memoryview(data)[start : start + _PIECE_BYTES])
            await child.stdin.drain()
    child.stdin.close()
    try:
        return await child.stdout.readexactly(4 * limits.max_characters + 65_536)
    except asyncio.IncompleteReadError as error:
        return error.partial  # the whole output


def _result(output: bytes, status: int, limits: Limits) -> ExtractedText:
    if status == -signal.SIGXCPU:
        raise _limit(f"needs more than {limits.cpu_seconds} seconds of processor time")
    if status < 0:  # PDFium aborts when it gets no memory
        raise _limit(
            f"crashes the reader ({signal.Signals(-status).name}), "
            f"whose memory limit is {limits.memory_bytes >> 20:,} MiB"
        )
    try:
        result = msgspec.json.decode(output, type=_Read | _Refused | _Crashed)
    except msgspec.DecodeError:
        raise Failure(
            code=Code.INTERNAL,
            message=f"The document reader failed with exit status {status}.",
            remedy="Run `python -m functions.documents.sandbox '{}' < FILE` beside the functions.",
        ) from None
    match result:
        case _Refused():
            raise Failure(code=result.code, message=result.message, remedy=result.remedy)
        case _Crashed(error="MemoryError"):
            raise _limit(f"needs more than {limits.memory_bytes >> 20:,} MiB of memory")
        case _Crashed():
            raise _limit(f"crashes the reader ({result.error})")
    return ExtractedText(text=result.text, kind=result.kind)


def _limit(problem: str) -> Failure:
    return Failure(
        code=Code.PARSER_LIMIT,
        message=f"Reading the document {problem}.",
        remedy="Split the document, or save it as a new PDF, and upload that.",
    )


def _main() -> None:
    """The child: read standard input within the limits in the only argument, as JSON."""
    limits = msgspec.json.decode(sys.argv[1], type=Limits)
    _apply_limits(limits)
    answer: _Read | _Refused | _Crashed
    try:
        document = read(sys.stdin.buffer.read(), limits=limits)
        answer = _Read(text=document.text, kind=document.kind)
        encoded = msgspec.json.encode(answer)
    except Failure as failure:
        answer = _Refused(code=failure.code, message=failure.message, remedy=failure.remedy)
        encoded = msgspec.json.encode(answer)
    except Exception as error:
        encoded = msgspec.json.encode(_Crashed(error=type(error).__name__))
    sys.stdout.buffer.write(encoded)


def _apply_limits(limits: Limits) -> None:
    rlimits = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    if sys.platform != "darwin":  # which cannot limit the address space
        rlimits[resource.RLIMIT_AS] = limits.memory_bytes
    for kind, value in rlimits.items():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value, hard))


if __name__ == "__main__":
    _main()
