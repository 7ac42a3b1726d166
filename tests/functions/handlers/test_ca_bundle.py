"""libpq trusts the certificate authorities that the handlers add.

The database is a socket that speaks PostgreSQL's TLS handshake and refuses every login.
"""

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import certifi
import psycopg
import pytest

from functions.handlers.ca_bundle import trust
from tests.support import local
from tests.support.certificates import self_signed

REFUSAL = b"SFATAL\0C28000\0Mthe login is refused\0\0"


@pytest.fixture
def authority(tmp_path: Path) -> str:
    """PEM of a certificate for localhost that is its own authority."""
    certificate, key = self_signed()
    (tmp_path / "server.pem").write_text(certificate + key)
    return certificate


@pytest.fixture
def conninfo(authority: str, tmp_path: Path) -> Iterator[str]:
    """Connection string of a database whose certificate the authority signed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
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


def test_libpq_verifies_the_database_with_the_added_authority_only(
    conninfo: str, authority: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(conninfo)

    trust(authority.encode())

    with pytest.raises(psycopg.OperationalError, match="the login is refused"):
        psycopg.connect(conninfo)
    Path(os.environ["SSL_CERT_FILE"]).unlink()
