"""The controller of LeaderWorkerSets beside a control plane, with the webhooks of its chart."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.certificates import self_signed
from tests.support.cluster.control_plane import Api, free_ports
from tests.support.local import until

WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


@contextmanager
def controlling(
    api: Api, program: Path, made: list[dict[str, Any]], folder: Path
) -> Iterator[None]:
    """Run the controller; `made` are the objects of its chart, with the webhooks."""
    port, health = free_ports(2)
    certificate, key = self_signed()
    (folder / "tls.crt").write_text(certificate)
    (folder / "tls.key").write_text(key)
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "apiVersion": "config.lws.x-k8s.io/v1alpha1",
                "kind": "Configuration",
                "internalCertManagement": {"enable": False},
                "leaderElection": {"leaderElect": False},
                "metrics": {"bindAddress": "0"},
                "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
                "webhook": {"host": "127.0.0.1", "port": port, "certDir": str(folder)},
            }
        )
    )
    hooks = [_here(body, port, certificate) for body in made if body["kind"] in WEBHOOKS]
    with (folder / "groups.log").open("w") as log:
        process = subprocess.Popen(
            [program / "cmd", f"--config={config}", f"--kubeconfig={api.kubeconfig}"],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        try:
            until(lambda: _listens(port) or None, seconds=60)
            for body in hooks:
                api.apply(body)
            yield
        finally:
            for body in hooks:
                api.delete(api.path(body))
            process.kill()
            process.wait()


def _here(body: dict[str, Any], port: int, certificate: str) -> dict[str, Any]:
    """A webhook configuration with URLs on this machine instead of a Service."""
    for hook in body["webhooks"]:
        path = hook["clientConfig"].pop("service")["path"]
        hook["clientConfig"] = {
            "url": f"https://127.0.0.1:{port}{path}",
            "caBundle": base64.b64encode(certificate.encode()).decode(),
        }
    body["metadata"].pop("namespace", None)
    return body


def _listens(port: int) -> bool:
    """True once the webhooks answer, after the start of the controllers."""
    try:
        httpx.get(f"https://127.0.0.1:{port}/", verify=False)  # noqa: S501  # self-signed
    except httpx.TransportError:
        return False
    return True
