"""Whose certificates this process believes."""

import os
import tempfile
from pathlib import Path

import certifi


def trust(certificates: bytes) -> None:
    """Have OpenSSL's "system" authorities be the public ones and these, in every library.

    libpq and httpx read the same variable. A function's machine may have no authorities where
    libpq looks for them, and a managed database has authorities of its own.
    """
    with tempfile.NamedTemporaryFile("wb", suffix=".pem", delete=False) as file:
        file.write(Path(certifi.where()).read_bytes() + b"\n" + certificates)
    os.environ["SSL_CERT_FILE"] = file.name
