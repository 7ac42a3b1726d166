"""Puts the simulated plugins on PATH and removes the credentials of real accounts."""

import os
import shlex
import sys
from pathlib import Path

from tests.support.clouds.world import FOLDER

CLOUDS = ("aws", "digitalocean", "kubernetes", "tls")
CLIENTS = ("aws", "doctl")
_PROJECT = Path(__file__).resolve().parents[3]
ACCOUNTS = ("AWS_", "DIGITALOCEAN_", "SPACES_", "DO_")
"""Prefixes of variables with credentials."""


def environment(folder: Path) -> dict[str, str]:
    """Write the launchers, and return this process's environment with them and without accounts.

    Args:
        folder: For the launchers and for the files of the clouds.
    """
    programs = folder / "programs"
    programs.mkdir(parents=True, exist_ok=True)
    for cloud in CLOUDS:
        launcher = programs / f"pulumi-resource-{cloud}"
        launcher.write_text(
            f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(_PROJECT))} "
            f'exec {shlex.quote(sys.executable)} -m tests.support.clouds {cloud} "$@"\n'
        )
        launcher.chmod(0o755)
    for client in CLIENTS:
        # A kubeconfig names it; the simulated cluster needs no token.
        (programs / client).write_text("#!/bin/sh\nexit 1\n")
        (programs / client).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ACCOUNTS)}
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        FOLDER: str(folder),
        # A request that leaves the simulation fails.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "DIGITALOCEAN_API_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "simulated",
        "AWS_SECRET_ACCESS_KEY": "simulated",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DIGITALOCEAN_TOKEN": "simulated",
        "SPACES_ENDPOINT_URL": "http://127.0.0.1:9",
        "SPACES_ACCESS_KEY_ID": "simulated",
        "SPACES_SECRET_ACCESS_KEY": "simulated",
    }
