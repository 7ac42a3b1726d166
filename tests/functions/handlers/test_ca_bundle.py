"""The database's client trusts the authorities that the Lambda handlers add, and no others.

The database is a socket that speaks PostgreSQL as far as TLS goes, and refuses the login after it.
"""

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from functions.handlers.ca_bundle import trust
from tests.support import local

REFUSAL = b"SFATAL\0C28000\0Mthe login is refused\0\0"


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """An authority of our own, and a certificate for localhost that it signed."""
    now, keys = datetime.now(UTC), [rsa.generate_private_key(65537, 2048) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        for name in ("an authority", "localhost")
    ]
    extensions: list[x509.ExtensionType] = [
        x509.BasicConstraints(ca=True, path_length=None),
        x509.SubjectAlternativeName([x509.DNSName("localhost")]),
    ]
    for file, name, key, extension in zip(
        ("authority", "server"), names, keys, extensions, strict=True
    ):
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(names[0])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(keys[0], hashes.SHA256())
        )
        (tmp_path / f"{file}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (tmp_path / "server.key").write_bytes(
        keys[1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return tmp_path / "authority.pem"


@pytest.fixture
def conninfo(authority: Path) -> Iterator[str]:
    """How the application reaches a database whose certificate the authority signed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(authority.with_name("server.pem"), authority.with_name("server.key"))
    with socket.create_server(("localhost", 0)) as listening:
        serving = threading.Thread(target=_refuse_logins, args=(listening, tls), daemon=True)
        serving.start()
        yield local.settings(
            database_host="localhost",
            database_port=listening.getsockname()[1],
            database_sslmode="verify-full",
        ).database_conninfo
        listening.shutdown(socket.SHUT_RDWR)
    serving.join()


def _refuse_logins(listening: socket.socket, tls: ssl.SSLContext) -> None:
    with suppress(OSError):  # the test is over
        while True:
            connection, _ = listening.accept()
            with connection, suppress(ssl.SSLError, ConnectionError):
                connection.recv(8)  # SSLRequest
                connection.sendall(b"S")
                with tls.wrap_socket(connection, server_side=True) as encrypted:
                    encrypted.recv(4096)  # the login
                    encrypted.sendall(b"E" + (len(REFUSAL) + 4).to_bytes(4, "big") + REFUSAL)


def test_without_our_authorities_the_database_is_a_stranger(
    conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")

    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(conninfo)


def test_with_our_authorities_it_is_known(
    conninfo: str, authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "")
    trust(authority.read_bytes())

    with pytest.raises(psycopg.OperationalError, match="the login is refused"):
        psycopg.connect(conninfo)
    Path(os.environ["SSL_CERT_FILE"]).unlink()
