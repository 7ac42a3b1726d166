"""Inference endpoints in this process; a function or an ASGI application answers."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from tests.support import local


@contextmanager
def answering(
    answer: Callable[[str, str, bytes], tuple[int, str]], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Serve on this machine; yield the URL.

    Args:
        answer: Returns status and body for `METHOD /path`, the header `Authorization` and the body.
        tls: The certificate, for https.
    """

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, body = answer(
                f"{self.command} {self.path}", self.headers.get("authorization", ""), sent
            )
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Length", f"{len(data)}")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_HEAD = _serve  # noqa: N815  # the base class's names

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(names: Sequence[str], *keys: str) -> Iterator[str]:
    """Serve an endpoint with these models and keys; yield its base URL, ending in `/v1`."""
    listed: dict[str, Any] = {"object": "list", "data": [{"id": name} for name in names]}

    def answer(call: str, authorization: str, _: bytes) -> tuple[int, str]:
        if authorization not in [f"Bearer {key}" for key in keys]:
            return 401, json.dumps({"error": {"message": "invalid key"}})
        if call != "GET /v1/models":
            return 404, "{}"
        return 200, json.dumps(listed)

    with answering(answer) as url:
        yield f"{url}/v1"


@contextmanager
def hosting(app: ASGIApp) -> Iterator[int]:
    """Serve an ASGI application on this machine; yield the port."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    server.force_exit = True  # open requests are cancelled at the end
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        local.until(lambda: server.started or None)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
