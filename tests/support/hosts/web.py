"""An HTTP server on this machine for complete requests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from functions.handlers.asgi import Answer, Request

Respond = Callable[[Request], Answer]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    respond: Respond

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # the application handles every method
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        answer = type(self).respond(
            Request(
                method=self.command,
                path=path,
                query=query,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("content-length") or 0)),
            )
        )
        self.send_response(answer.status)
        for name, value in {"content-length": f"{len(answer.body)}", **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    """Scheme, host and port of a running server."""
    handler = type("Handler", (_Handler,), {"respond": staticmethod(respond)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
