"""A fake endpoint of the OpenAI API that answers at once.

It runs in a process of its own, so that the CPU time of a client is the client's alone. It ends
when its standard input is closed, so also when its parent is killed.
"""

import asyncio
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

ANSWER_CHARACTERS = 1200


@contextmanager
def running() -> Iterator[int]:
    """Run the endpoint; yields its port."""
    with subprocess.Popen(
        [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield int(process.stdout.readline())


def answer(body: bytes) -> bytes:
    """Return a completion whose text depends on the request."""
    request = msgspec.json.decode(body)
    asked = msgspec.json.encode(request, order="sorted")
    mark = f"{zlib.crc32(asked):08x} "
    text = (mark * ANSWER_CHARACTERS)[:ANSWER_CHARACTERS]
    return msgspec.json.encode(
        {
            "object": "chat.completion",
            "model": request["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                }
            ],
            "usage": {"prompt_tokens": len(asked) // 4, "completion_tokens": len(text) // 4},
        }
    )


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if complete and len(body) >= length:
            content = answer(body[:length])
            self._received = body[length:]
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
            )


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
