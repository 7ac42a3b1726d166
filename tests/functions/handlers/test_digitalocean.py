"""The handlers of DigitalOcean Functions: what they say in the platform's own terms.

That they are the same application as elsewhere, called as the platform calls, is in
`tests/contract`; the fuzzer is here, because it takes its time.
"""

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import certifi
import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from functions.handlers import asgi, digitalocean
from functions.handlers.ca_bundle import trust
from functions.handlers.digitalocean import MAX_PAYLOAD_BYTES, Functions, Platform
from functions.settings import Settings
from functions.storage.ledger import Ledger
from tests.functions.api.test_openapi import fuzzed
from tests.support import local
from tests.support.contract.model import modelled
from tests.support.hosts.functions_host import NAMESPACE, FunctionsHost, functions_host


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the platform says of a call."""

    function_name: str


@pytest.fixture(scope="module")
def host(
    s3: str, postgres: local.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FunctionsHost]:
    """The application in a namespace, shared by the tests of this file."""
    folder = tmp_path_factory.mktemp("functions")
    with modelled() as model, functions_host(folder, postgres.database(), model, s3) as host:
        yield host


@pytest.fixture
def environment(host: FunctionsHost) -> dict[str, str]:
    """What the component tells the functions."""
    return host.environment


# ---------------------------------------------------------------- the calling convention


def test_a_response_above_the_platforms_limit_is_an_error() -> None:
    """The platform's own answer would say nothing."""
    large = asgi.Answer(
        status=200, headers={"content-type": "text/plain"}, body=b"a" * MAX_PAYLOAD_BYTES
    )

    result = digitalocean._result(large)

    assert result["statusCode"] == 500
    assert json.loads(result["body"])["error"] == {
        "code": "INTERNAL",
        "message": "The response has 1,000,068 bytes; the platform's limit is 1,000,000.",
        "remedy": "Request less data at once.",
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
    event: digitalocean.Event = {"http": {"method": "GET", "path": "/healthz", "headers": {}}}

    answer: Any = digitalocean.main(event, Context(function_name=f"/{NAMESPACE}/summarizer/api"))
    with pytest.raises(ValueError, match="Unknown function 'other'"):
        digitalocean.main(event, Context(function_name=f"/{NAMESPACE}/summarizer/other"))
    with pytest.raises(ValueError, match="The event of a call to api has no http"):
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

    result: Any = away.call("api", {"http": {"method": "GET", "path": "/healthz"}})

    away.close()
    assert result["statusCode"] == 503
    assert json.loads(result["body"])["error"]["code"] == "DATABASE_UNAVAILABLE"


def test_no_secret_is_in_what_describes_the_platform() -> None:
    platform = Platform(summarize_url="https://host", summarize_key="user:secret-of-a-test")

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


@pytest.mark.timeout(300)
def test_a_fuzzer_finds_no_answer_that_the_document_does_not_describe(
    host: FunctionsHost, environment: dict[str, str], tmp_path: Path
) -> None:
    """The same that `test_openapi` asks of the application on this machine, of fewer requests."""
    url = host.page_url.removesuffix("/")
    fuzzed(tmp_path, url, environment["API_TOKEN"], examples=15, sequences=4)
