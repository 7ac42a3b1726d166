"""A Kubernetes control plane on this machine: etcd, API server, controllers, scheduler, KWOK."""

import csv
import secrets
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.local import until

Manifest = Mapping[str, Any]


class Api:
    """A client of the API server with administrator's rights.

    Attributes:
        port: The port at 127.0.0.1.
        authority: File with the certificate.
        kubeconfig: File with the administrator's access.
    """

    def __init__(self, port: int, token: str, authority: Path, kubeconfig: Path) -> None:
        self.port, self.authority, self.kubeconfig = port, authority, kubeconfig
        self._client = httpx.Client(
            base_url=f"https://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}"},
            verify=False,  # noqa: S501  # self-signed
            timeout=30,
        )
        self._places: dict[tuple[str, str], tuple[str, bool]] = {}

    def apply(self, manifest: Manifest, *, dry_run: bool = False) -> dict[str, Any]:
        """Apply an object on the server's side; an unknown field is a `RefusedError`."""
        query = {"fieldManager": "tests", "force": "true", "fieldValidation": "Strict"}
        return self._call(
            "PATCH",
            self.path(manifest),
            params=query | ({"dryRun": "All"} if dry_run else {}),
            content=yaml.safe_dump(dict(manifest)),
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    def patch(self, path: str, change: Manifest) -> dict[str, Any]:
        """Merge a change into the object at a path."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._call("PATCH", path, json=dict(change), headers=headers)

    def get(self, path: str) -> dict[str, Any]:
        """The object at a path."""
        return self._call("GET", path)

    def post(self, path: str, body: Manifest) -> dict[str, Any]:
        """Create below a path."""
        return self._call("POST", path, json=dict(body))

    def delete(self, path: str) -> dict[str, Any]:
        """Delete the object at a path."""
        return self._call("DELETE", path)

    def path(self, manifest: Manifest) -> str:
        """The path of an object."""
        plural, namespaced = self._place(manifest["apiVersion"], manifest["kind"])
        metadata = manifest["metadata"]
        space = f"/namespaces/{metadata['namespace']}" if namespaced else ""
        return f"{_root(manifest['apiVersion'])}{space}/{plural}/{metadata['name']}"

    def is_ready(self) -> bool:
        """True when the server is ready."""
        try:
            return self._client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _place(self, version: str, kind: str) -> tuple[str, bool]:
        if (version, kind) not in self._places:
            for resource in self.get(_root(version))["resources"]:
                if "/" not in resource["name"]:
                    place = (resource["name"], resource["namespaced"])
                    self._places[version, resource["kind"]] = place
        return self._places[version, kind]

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = self._client.request(method, path, **request)
        if answer.is_error:
            raise RefusedError(answer.json().get("message", answer.text))
        body: dict[str, Any] = answer.json()
        return body


class RefusedError(Exception):
    """The API server rejected a request."""


@contextmanager
def running(programs: Path, folder: Path) -> Iterator[Api]:
    """Run the control plane in a folder."""
    etcd, peers, port = free_ports(3)
    token = secrets.token_urlsafe(16)
    with (folder / "tokens.csv").open("w") as file:
        csv.writer(file).writerow([token, "tests", "1", "system:masters"])
    private, public = _key_pair(folder)
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(_kubeconfig(port, token))
    with ExitStack() as stack:

        def start(program: str, *arguments: str) -> None:
            log = stack.enter_context((folder / f"{program}-{arguments[0]}.log").open("w"))
            process = subprocess.Popen(
                [programs / program, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=folder
            )
            stack.callback(process.wait)
            stack.callback(process.kill)

        start(
            "control-plane",
            "etcd",
            *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peers}",
        )
        start(
            "control-plane",
            "apiserver",
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://tests.invalid",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged=true",
        )
        api = Api(port, token, folder / "certificates/apiserver.crt", kubeconfig)
        stack.callback(api.close)
        until(lambda: api.is_ready() or None, seconds=60)
        common = (f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0")
        start(
            "control-plane",
            "controllers",
            *common,
            f"--service-account-private-key-file={private}",
            "--use-service-account-credentials",
        )
        start("control-plane", "scheduler", *common)
        stages = folder / "stages.yaml"
        stages.write_text(subprocess.check_output([programs / "kubelets", "stages"], text=True))
        start(
            "kubelets",
            "--manage-all-nodes=true",
            f"--kubeconfig={kubeconfig}",
            f"--config={stages}",
            "--node-lease-duration-seconds=40",
        )
        yield api


def free_ports(count: int) -> list[int]:
    """Different free ports."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _key_pair(folder: Path) -> tuple[Path, Path]:
    """The keys that sign and check service account tokens."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "accounts.key", folder / "accounts.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def _kubeconfig(port: int, token: str) -> str:
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "tests", "user": {"token": token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        }
    )
