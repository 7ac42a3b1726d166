"""On a real nginx the gateway passes only the paths of the API to a model server."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from components.kubernetes.serving.gateway import HEALTH_PORT, PORT, configuration
from tests.support.certificates import self_signed
from tests.support.cluster.control_plane import free_ports
from tests.support.cluster.parts import there
from tests.support.local import until
from tools.programs import cluster_parts

pytestmark = pytest.mark.cluster

ALLOWED = ["chat/completions", "completions", "embeddings", "models", "responses"]
OPEN_AT_VLLM = [
    "/",
    "/metrics",
    "/tokenize",
    "/detokenize",
    "/pause",
    "/invocations",
    "/ping",
    "/health",
    "/v1/load_lora_adapter",
    "/v1/chat/completions/../../metrics",
    "/v1/models/../../metrics",
    "/v1//metrics",
    "/docs",
]


@dataclass(kw_only=True)
class Gateway:
    """A running gateway, and the requests that it passed."""

    url: str
    health: str
    authority: ssl.SSLContext
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def call(self, method: str, path: str, **request: object) -> httpx.Response:
        """Send a request by TLS."""
        with httpx.Client(verify=self.authority, timeout=20) as client:
            # `raw_path` keeps the dots.
            url = httpx.URL(self.url, raw_path=path.encode())
            return client.request(method, url, **request)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """nginx with the configuration, other ports and other paths, in front of a model server."""
    program = there(cluster_parts.nginx(), "nginx")
    folder = tmp_path_factory.mktemp("gateway")
    https, health = free_ports(2)
    certificate, key = self_signed()
    (folder / "tls.crt").write_text(certificate)
    (folder / "tls.key").write_text(key)
    made = Gateway(
        url=f"https://127.0.0.1:{https}",
        health=f"http://127.0.0.1:{health}/",
        authority=ssl.create_default_context(cadata=certificate),
    )

    class Inside(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Authorization", "")
            made.seen.append((f"{self.command} {self.path}", key, body.decode()))
            self.send_response(200)
            self.send_header("X-Replica", "model-server-a")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_POST = answer  # noqa: N815  # the library's names

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Inside)
    inside = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "nginx.conf").write_text(
        configuration(model=inside, replica_monitor=inside)
        .replace(str(PORT), str(https))
        .replace(str(HEALTH_PORT), str(health))
        .replace("/tmp/", f"{folder}/")  # noqa: S108  # of the pod
        .replace("/etc/tls", str(folder))
        .replace("/dev/stdout", str(folder / "access.log"))
    )
    with (folder / "nginx.log").open("w") as log:
        nginx = subprocess.Popen(
            [program, "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off;"],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            until(lambda: _is_up(made.health) or None, seconds=20)
            yield made
        finally:
            nginx.terminate()
            nginx.wait()
            server.shutdown()
            server.server_close()


def _is_up(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 204
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("path", ALLOWED)
def test_a_path_of_the_api_passes_with_body_and_key(gateway: Gateway, path: str) -> None:
    answer = gateway.call(
        "POST", f"/v1/{path}", content=b"{}", headers={"Authorization": "Bearer key"}
    )
    assert answer.status_code == 200
    assert gateway.seen[-1] == (f"POST /v1/{path}", "Bearer key", "{}")
    assert answer.headers["x-replica"] == "model-server-a"


def test_the_state_of_the_replicas_is_read_only(gateway: Gateway) -> None:
    key = {"Authorization": "Bearer key"}
    assert gateway.call("GET", "/replicas", headers=key).status_code == 200
    assert gateway.seen[-1] == ("GET /replicas", "Bearer key", "")
    before = len(gateway.seen)
    assert gateway.call("POST", "/replicas", headers=key, content=b"{}").status_code == 403
    assert gateway.call("GET", "/replicas/metrics", headers=key).status_code == 404
    assert gateway.call("GET", "/replicas/../metrics", headers=key).status_code == 404
    assert len(gateway.seen) == before


@pytest.mark.parametrize("path", OPEN_AT_VLLM)
def test_a_path_that_vllm_serves_without_a_key_does_not_pass(gateway: Gateway, path: str) -> None:
    before = len(gateway.seen)
    assert gateway.call("GET", path).status_code == 404
    assert len(gateway.seen) == before


def test_a_body_that_is_too_large_does_not_pass(gateway: Gateway) -> None:
    before = len(gateway.seen)
    answer = gateway.call("POST", "/v1/chat/completions", content=b"x" * 9_000_000)
    assert answer.status_code == 413
    assert len(gateway.seen) == before


def test_a_request_without_tls_is_rejected(gateway: Gateway) -> None:
    answer = httpx.post(gateway.url.replace("https", "http") + "/v1/models")
    assert answer.status_code == 400


def test_health_has_its_own_port(gateway: Gateway) -> None:
    assert httpx.get(gateway.health).status_code == 204
