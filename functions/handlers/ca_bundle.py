"""The certificate authorities that this process trusts."""

import os
import tempfile
from pathlib import Path

import certifi


def trust(certificates: bytes) -> None:
    """Trust the public authorities and these (PEM), in libpq and in httpx.

    Both read `SSL_CERT_FILE`. A function's machine may have no authorities where libpq looks for
    them, and a managed database has its own authority.
    """
    with tempfile.NamedTemporaryFile("wb", suffix=".pem", delete=False) as file:
        file.write(Path(certifi.where()).read_bytes() + b"\n" + certificates)
    os.environ["SSL_CERT_FILE"] = file.name
