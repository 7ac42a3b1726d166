"""A kubeconfig without a secret: a command makes a token at every use."""

import json
from collections.abc import Sequence


def kubeconfig(*, name: str, server: str, authority: str, command: Sequence[str]) -> str:
    """The kubeconfig as JSON.

    Args:
        authority: Base64 of the PEM of the API server's certificate authority.
        command: Prints an ExecCredential.
    """
    program, *arguments = command
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {"server": server, "certificate-authority-data": authority},
                }
            ],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
            "users": [
                {
                    "name": name,
                    "user": {
                        "exec": {
                            "apiVersion": "client.authentication.k8s.io/v1beta1",
                            "command": program,
                            "args": arguments,
                            "interactiveMode": "Never",
                        }
                    },
                }
            ],
        }
    )
