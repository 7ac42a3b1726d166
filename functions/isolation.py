"""Reads a document in a child process that can be lost: no secrets, little memory, little time.

The child gets the bytes through its standard input and answers in JSON through its standard
output. Its environment is empty, it can write no file, and as an ordinary user it can start no
process. That stops what a malformed document does to a parser. It is no sandbox against an attacker
who runs code in it: the child has the user, the network and the file system of its parent.
"""

import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from functions.documents import DEFAULT_LIMITS, Document, Kind, Limits, read, refuse_size
from functions.errors import Code, Failure

if TYPE_CHECKING:
    from asyncio.subprocess import Process

# What the interpreter needs where it is not installed in the usual place
_KEPT_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")
_PACKAGE_FOLDER = str(Path(__file__).resolve().parents[1])


class _Read(msgspec.Struct, frozen=True, tag=True):
    text: str
    kind: Kind
    pages: int | None


class _Refused(msgspec.Struct, frozen=True, tag=True):
    code: Code
    message: str
    remedy: str


class _Broke(msgspec.Struct, frozen=True, tag=True):
    error: str  # the name of an exception; its text could quote the document


async def read_isolated(data: bytes | Path, *, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Return the text of a document, read by a child process; see `documents.read`.

    When the caller is cancelled, the child is killed.

    Raises:
        Failure: As `documents.read`; and PARSER_LIMIT where the child needed too much memory or
            time, or crashed.
    """
    import asyncio  # late: the child, which is this module as well, starts faster without

    if isinstance(data, Path):
        with data.open("rb") as file:
            refuse_size(os.fstat(file.fileno()).st_size, limits)
            child = await _start(limits, stdin=file.fileno())
    else:
        refuse_size(len(data), limits)
        child = await _start(limits, stdin=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(limits.wall_seconds):
            answer = await _exchange(child, data, limits)
            status = await child.wait()
    except TimeoutError:
        raise _limit(f"takes longer than {limits.wall_seconds:g} seconds") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()  # closes its pipes
    return _result(answer, status, limits)


async def _start(limits: Limits, *, stdin: int) -> "Process":
    import asyncio

    # The child imports what this process imports, wherever that lies: so it does without `site`
    # (-S), which makes it start faster, and without the working directory (-P).
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join([_PACKAGE_FOLDER, *filter(None, sys.path)])
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-S", "-P", "-m", "functions.isolation"),
        msgspec.json.encode(limits).decode(),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a traceback could quote the document
        env=environment,
    )


async def _exchange(child: "Process", data: bytes | Path, limits: Limits) -> bytes:
    import asyncio

    if child.stdin is not None and isinstance(data, bytes):
        with suppress(BrokenPipeError, ConnectionResetError):  # it is gone; its status tells why
            child.stdin.write(data)
            await child.stdin.drain()
        child.stdin.close()
    assert child.stdout is not None  # noqa: S101  # it was started with a pipe
    most = 4 * limits.max_characters + 65_536
    try:
        return await child.stdout.readexactly(most)
    except asyncio.IncompleteReadError as error:
        return error.partial  # all that it wrote


def _result(answer: bytes, status: int, limits: Limits) -> Document:
    if status == -signal.SIGXCPU:
        raise _limit(f"needs more than {limits.cpu_seconds} seconds of processor time")
    if status < 0:  # PDFium aborts where it gets no memory
        raise _limit(
            f"crashes the program that reads it ({signal.Signals(-status).name}), "
            f"which may use {limits.memory_bytes >> 20:,} MiB of memory"
        )
    try:
        result = msgspec.json.decode(answer, type=_Read | _Refused | _Broke)
    except msgspec.DecodeError:
        raise Failure(
            code=Code.INTERNAL,
            message=f"The program that reads documents did not work: exit status {status}.",
            remedy="Run `python -m functions.isolation '{}' < FILE` where the functions run.",
        ) from None
    match result:
        case _Refused():
            raise Failure(code=result.code, message=result.message, remedy=result.remedy)
        case _Broke(error="MemoryError"):
            raise _limit(f"needs more than {limits.memory_bytes >> 20:,} MiB of memory")
        case _Broke():
            raise _limit(f"stops the program that reads it ({result.error})")
    return Document(text=result.text, kind=result.kind, pages=result.pages)


def _limit(what: str) -> Failure:
    return Failure(
        code=Code.PARSER_LIMIT,
        message=f"Reading the document {what}.",
        remedy="Print or save it as a new PDF, or split it, and upload that.",
    )


def _main() -> None:
    """Be the child: read standard input within the limits given as the only argument."""
    limits = msgspec.json.decode(sys.argv[1], type=Limits)
    _confine(limits)
    answer: _Read | _Refused | _Broke
    try:
        document = read(sys.stdin.buffer.read(), limits=limits)
        answer = _Read(text=document.text, kind=document.kind, pages=document.pages)
        encoded = msgspec.json.encode(answer)
    except Failure as failure:
        answer = _Refused(code=failure.code, message=failure.message, remedy=failure.remedy)
        encoded = msgspec.json.encode(answer)
    except Exception as error:
        encoded = msgspec.json.encode(_Broke(error=type(error).__name__))
    sys.stdout.buffer.write(encoded)


def _confine(limits: Limits) -> None:
    confined = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    if sys.platform != "darwin":  # which does not limit address space
        confined[resource.RLIMIT_AS] = limits.memory_bytes
    for kind, value in confined.items():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value, hard))


if __name__ == "__main__":
    _main()
