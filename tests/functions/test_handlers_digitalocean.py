"""The handlers of DigitalOcean Functions, from upload to summary, called as the platform does.

A host on this machine keeps to the platform's calling convention: raw web events, a result with
status, headers and body, 1 MB in and 1 MB out, calls without waiting by key, one call at a time in
a process. PostgreSQL, the S3 API and the stand-in are real. Conventions:
docs.digitalocean.com/products/functions/reference/parameters-responses (3 September 2024).
"""

import base64
import json
import logging
import os
import secrets
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import certifi
import httpx
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from functions.handlers import asgi, digitalocean
from functions.handlers.authorities import trust
from functions.handlers.digitalocean import MAX_PAYLOAD_BYTES, Functions, Platform
from functions.ledger import Ledger
from functions.settings import Settings
from tests import local
from tests.functions.test_openapi import FUZZER

NAMESPACE = "fn-6f1c1d2e-3f0b-5d53-9d0e-6a3f6c1b7a52"
WEB = f"/api/v1/web/{NAMESPACE}/summarizer/"
ACTIONS = f"/api/v1/namespaces/{NAMESPACE}/actions/summarizer/"
KEY = "dof_v1_of-a-test:secret-of-a-test"

TEXT = b"""The lighthouse on the rock of Skerryvore was lit on the first of February 1844.

Its tower of granite is 48 metres high. The keepers lived on the rock for weeks when the sea was
rough, and wrote down the weather of every day. Since 1994 nobody lives there any more.
"""

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the platform says of a call."""

    function_name: str


class Process:
    """One function's process: one call at a time, everything as JSON."""

    def __init__(self, name: str, settings: Settings, platform: Platform) -> None:
        self._name = name
        self._functions = Functions(settings, platform)
        self._lock = threading.Lock()

    def call(self, event: Json) -> Json:
        """The result, as the platform sees it."""
        with self._lock:
            result = self._functions.call(self._name, json.loads(json.dumps(event)))
        answer: Json = json.loads(json.dumps(result))
        return answer

    def close(self) -> None:
        """End it."""
        self._functions.close()


class Host:
    """The namespace with its three functions."""

    def __init__(self) -> None:
        self.url = ""
        self.processes: dict[str, Process] = {}
        self.refuses = 0
        self.started: list[str] = []
        self._threads: list[threading.Thread] = []

    def start(self, name: str, event: Json) -> None:
        """Call without waiting."""
        self.started.append(event["document_id"])
        thread = threading.Thread(target=self.processes[name].call, args=[event])
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait for what was started."""
        for thread in self._threads:
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: Host

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if len(body) > 1_000_000:
            self._send(413, {}, b"")
            return
        url = urlsplit(self.path)
        if url.path.startswith(WEB):
            self._web(url.path.removeprefix(WEB), url.query, body)
        elif url.path.startswith(ACTIONS) and self.command == "POST":
            self._invoke(url.path.removeprefix(ACTIONS), url.query, body)
        else:
            self._send(404, {}, b"")

    def _web(self, path: str, query: str, body: bytes) -> None:
        name, slash, rest = path.partition("/")
        if name != "api":  # the others are no web functions
            self._send(404, {}, b"")
            return
        try:
            text, encoded = body.decode(), False
        except UnicodeDecodeError:
            text, encoded = base64.b64encode(body).decode(), True
        result = self.host.processes[name].call(
            {
                "http": {
                    "method": self.command,
                    "path": slash + rest,
                    "queryString": query,
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": text,
                    "isBase64Encoded": encoded,
                }
            }
        )
        if len(json.dumps(result)) > 1_000_000:
            self._send(502, {}, b"")
            return
        kind = result["headers"].get("content-type", "text/html")
        plain = kind.startswith(("text/", "application/json", "application/javascript"))
        content = result["body"].encode() if plain else base64.b64decode(result["body"])
        self._send(result["statusCode"], result["headers"], content)

    def _invoke(self, name: str, query: str, body: bytes) -> None:
        given = base64.b64decode(self.headers.get("authorization", " ").split(" ")[1]).decode()
        if given != KEY:
            self._send(401, {}, b"{}")
        elif self.host.refuses:
            self.host.refuses -= 1
            self._send(429, {}, b"{}")
        elif parse_qs(query) == {"blocking": ["false"]}:
            self.host.start(name, json.loads(body))
            self._send(202, {}, b'{"activationId": "1"}')

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815
    do_OPTIONS = do_TRACE = do_QUERY = _serve  # noqa: N815

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": f"{len(body)}"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def hosted(environment: dict[str, str]) -> Iterator[Host]:
    """The application at a namespace of its own."""
    host = Host()
    handler: Callable[..., BaseHTTPRequestHandler] = type("Handler", (_Handler,), {"host": host})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    settings = Settings.read(environment)
    platform = Platform(summarize_url=f"{host.url}{ACTIONS}summarize", summarize_key=KEY)
    host.processes = {
        name: Process(name, settings, platform) for name in ("api", "summarize", "sweep")
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        host.join()
        for process in host.processes.values():
            process.close()


@pytest.fixture(scope="module")
def environment(s3: str, postgres: local.Server, standin: dict[str, str]) -> dict[str, str]:
    """What the component tells the functions, with a bucket behind an endpoint of its own."""
    bucket = f"bucket-{secrets.token_hex(4)}"
    httpx.put(f"{s3}/{bucket}").raise_for_status()
    return {
        "ARRANGEMENT": "integrated",
        "RUNG": "serverless",
        "API_TOKEN": secrets.token_urlsafe(12),
        "STORE_URL": f"s3://{bucket}",
        "STORE_ENDPOINT": s3,
        "STORE_REGION": "us-east-1",
        "STORE_ACCESS_KEY_ID": "key-of-a-test",
        "STORE_SECRET_ACCESS_KEY": "secret-of-a-test",
        **postgres.database(),
        **standin,
    }


@pytest.fixture(scope="module")
def host(environment: dict[str, str]) -> Iterator[Host]:
    """The application, shared by the tests of this file."""
    with hosted(environment) as host:
        yield host


@pytest.fixture(scope="module")
def caller(host: Host, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """A caller with the token."""
    with httpx.Client(
        base_url=f"{host.url}{WEB}api/",
        headers={"Authorization": f"Bearer {environment['API_TOKEN']}"},
        timeout=30,
    ) as client:
        yield client


def upload(caller: httpx.Client, name: str, data: bytes = TEXT) -> str:
    """Announce a document and send its bytes, past the functions."""
    announced = caller.post("api/uploads", json={"name": name, "size": len(data)})
    assert announced.status_code == 201, announced.text
    answer = announced.json()
    httpx.put(answer["upload_url"], content=data).raise_for_status()
    return str(answer["document_id"])


def ended(caller: httpx.Client, id_: str) -> Json:
    """The document, once it is done or failed."""

    def look() -> Json | None:
        document: Json = caller.get(f"api/documents/{id_}").json()
        return document if document["status"] in ("done", "failed") else None

    return local.until(look)


# ---------------------------------------------------------------- the way of a document


def test_a_file_becomes_a_summary(caller: httpx.Client, host: Host) -> None:
    id_ = upload(caller, "Skerryvore.txt")

    completed = caller.post(f"api/documents/{id_}/complete")

    assert completed.status_code == 202
    done = ended(caller, id_)
    assert (done["status"], done["error"], done["attempts"]) == ("done", None, 1)
    assert done["summary"]
    assert host.started.count(id_) == 1


def test_completing_five_times_makes_one_summary(caller: httpx.Client) -> None:
    id_ = upload(caller, "five.txt")

    answers = [caller.post(f"api/documents/{id_}/complete") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202] * 5
    done = ended(caller, id_)
    assert (done["status"], done["attempts"], done["usage"]["calls"]) == ("done", 1, 1)


def test_a_retry_by_hand_starts_the_worker_at_once(caller: httpx.Client, host: Host) -> None:
    id_ = upload(caller, "again.txt", b" \n ")
    caller.post(f"api/documents/{id_}/complete")
    assert ended(caller, id_)["status"] == "failed"

    answer = caller.post(f"api/documents/{id_}/retry")

    assert answer.status_code == 202
    assert host.started.count(id_) == 2
    host.join()


def test_completing_before_the_upload_is_a_conflict(caller: httpx.Client) -> None:
    announced = caller.post("api/uploads", json={"name": "early.txt", "size": 1}).json()

    answer = caller.post(f"api/documents/{announced['document_id']}/complete")

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "OBJECT_MISSING")


def test_a_document_without_text_fails_with_its_code(caller: httpx.Client) -> None:
    id_ = upload(caller, "empty.txt", b" \n ")
    caller.post(f"api/documents/{id_}/complete")

    failed = ended(caller, id_)

    assert (failed["status"], failed["error"]["code"]) == ("failed", "NO_TEXT")


def test_a_call_that_the_platform_refuses_is_made_by_the_sweep(
    caller: httpx.Client, host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """The namespace's quota may be used up just then; the caller is told nothing of it."""
    id_ = upload(caller, "refused.txt")
    host.refuses = 1
    with caplog.at_level(logging.WARNING, "functions.handlers.digitalocean"):
        assert caller.post(f"api/documents/{id_}/complete").status_code == 202
    assert f"document {id_}: left to the sweep (429)" in caplog.messages
    assert caller.get(f"api/documents/{id_}").json()["status"] == "queued"

    swept = host.processes["sweep"].call({})

    assert swept["due"] >= 1
    assert ended(caller, id_)["status"] == "done"


def test_an_object_that_nobody_announced_is_found_by_the_sweep(
    caller: httpx.Client, host: Host, environment: dict[str, str]
) -> None:
    """Spaces tells nobody of it."""
    bucket = environment["STORE_URL"].removeprefix("s3://")
    key = f"incoming/{uuid4()}/letter.txt"
    httpx.put(f"{environment['STORE_ENDPOINT']}/{bucket}/{key}", content=TEXT).raise_for_status()

    host.processes["sweep"].call({})

    (id_,) = (
        document["id"]
        for document in caller.get("api/documents").json()["documents"]
        if document["name"] == "letter.txt"
    )
    assert ended(caller, id_)["status"] == "done"


# ---------------------------------------------------------------- the calling convention


def test_the_page_and_its_parts_are_served_below_the_function(host: Host) -> None:
    base = f"{host.url}{WEB}api/"

    page = httpx.get(base)
    script = httpx.get(f"{base}page/app.js")

    assert (page.status_code, script.status_code) == (200, 200)
    assert page.text == (Path(digitalocean.__file__).parents[1] / "page/index.html").read_text()
    assert "javascript" in script.headers["content-type"]


def test_whoever_has_no_token_is_refused(host: Host) -> None:
    answer = httpx.get(f"{host.url}{WEB}api/api/documents")

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("name", ["summarize", "sweep"])
def test_a_worker_cannot_be_called_over_the_web(host: Host, name: str) -> None:
    assert httpx.post(f"{host.url}{WEB}{name}").status_code == 404


def test_an_answer_above_the_platform_s_limit_is_an_error_that_says_so() -> None:
    """The platform's own answer would say nothing."""
    large = asgi.Answer(
        status=200, headers={"content-type": "text/plain"}, body=b"a" * MAX_PAYLOAD_BYTES
    )

    result = digitalocean._result(large)

    assert result["statusCode"] == 500
    assert json.loads(result["body"])["error"] == {
        "code": "INTERNAL",
        "message": "The answer has 1,000,068 bytes; the platform carries 1,000,000.",
        "remedy": "Ask for less at once.",
    }


def test_a_body_that_is_no_text_travels_as_base64() -> None:
    picture = asgi.Answer(
        status=200,
        headers={"content-type": "image/png", "content-length": "3"},
        body=b"\x89PN",
    )

    assert digitalocean._result(picture) == {
        "statusCode": 200,
        "headers": {"content-type": "image/png"},
        "body": "iVBO",
    }


def test_main_goes_by_the_function_s_name(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """The platform calls `main` of one zip for all three."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(digitalocean, "_functions", None)
    event = {"http": {"method": "GET", "path": "/healthz", "headers": {}}}

    answer = digitalocean.main(event, Context(function_name=f"/{NAMESPACE}/summarizer/api"))
    with pytest.raises(ValueError, match="There is no function 'other'"):
        digitalocean.main(event, Context(function_name=f"/{NAMESPACE}/summarizer/other"))
    with pytest.raises(ValueError, match="api answers web calls only"):
        digitalocean.main({}, Context(function_name=f"/{NAMESPACE}/summarizer/api"))

    functions: Functions | None = digitalocean._functions
    assert functions is not None
    functions.close()
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["status"] == "ok"


def test_without_its_database_the_api_answers_503_and_comes_back(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = Ledger.open
    monkeypatch.setattr(Ledger, "open", lambda c: patience(c, patience_seconds=0.2))
    away = Functions(Settings.read({**environment, "DATABASE_PORT": "9"}), Platform())

    result = away.call("api", {"http": {"method": "GET", "path": "/healthz"}})

    away.close()
    assert result["statusCode"] == 503
    assert json.loads(result["body"])["error"]["code"] == "DATABASE_UNAVAILABLE"


def test_no_secret_is_in_what_describes_the_platform() -> None:
    platform = Platform(summarize_url="https://host", summarize_key=KEY)

    assert "secret-of-a-test" not in repr(platform)


def test_the_database_s_authority_is_trusted_beside_the_public_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By libpq, which verifies in full, and by whoever calls the inference."""
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    authority = certified(tmp_path)
    settings = replace(local.settings(), database_host="localhost", database_sslmode="verify-full")

    with tls_server(tmp_path) as port:
        conninfo = replace(settings, database_port=port).database_conninfo
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            psycopg.connect(conninfo)
        trust(authority.encode())
        with pytest.raises(psycopg.OperationalError, match=r"unexpected eof|closed the conn"):
            psycopg.connect(conninfo)

    trusted = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    assert len(trusted.get_ca_certs()) > 100


def certified(folder: Path) -> str:
    """Write key and certificate of a server on this machine, and return its authority's PEM."""
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "project CA of a test")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM).decode()
    unlocked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    (folder / "server.pem").write_text(unlocked + pem)
    return pem


@contextmanager
def tls_server(folder: Path) -> Iterator[int]:
    """Answers as PostgreSQL does until TLS is agreed on, and then hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _address = server.accept()
                with connection, suppress(ssl.SSLError, ConnectionError):
                    connection.recv(8)  # the request for TLS
                    connection.sendall(b"S")
                    context.wrap_socket(connection, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


# ---------------------------------------------------------------- the contract


def test_a_fuzzer_finds_no_answer_that_the_document_does_not_describe(
    host: Host, environment: dict[str, str], tmp_path: Path
) -> None:
    """The same that `test_openapi` asks of the application on this machine, of fewer requests."""
    fewer = FUZZER.replace("= 150", "= 15").replace("= 30", "= 4")
    (tmp_path / "schemathesis.toml").write_text(fewer)

    fuzzed = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{host.url}{WEB}api/openapi.json"),
            *("--url", f"{host.url}{WEB}api"),
        ],
        cwd=tmp_path,
        env={**os.environ, "TOKEN": environment["API_TOKEN"], "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert fuzzed.returncode == 0, fuzzed.stdout + fuzzed.stderr
    assert "Tested: 7" in fuzzed.stdout
