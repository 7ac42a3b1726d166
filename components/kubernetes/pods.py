"""What every pod of ours has: the fields that Pod Security's level `restricted` asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.kubernetes.images import Image

Manifest = dict[str, Any]
"""A Kubernetes object or a part of one, spelt as in YAML."""

TRIED_AGAIN = {"pulumi.com/replaceUnready": "true"}
"""Annotations of a Job that the next `up` runs anew if it failed.

Without them Pulumi waits for ever for the one that failed (pulumi/pulumi-kubernetes#856, 2021-05).
"""


def pod(
    image: Image,
    *,
    containers: Sequence[Manifest],
    volumes: Sequence[Manifest],
    groups: Sequence[int] = (),
    **spec: Any,
) -> Manifest:
    """The spec of a pod that passes `restricted` and is told nothing that it does not need.

    Args:
        groups: More groups that its user is in.
    """
    return {
        # Kubernetes' own injected variables (VLLM_PORT=tcp://…) stop vLLM from starting.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": image.user,
            "runAsGroup": image.user,
            "fsGroup": image.user,
            **({"supplementalGroups": list(groups)} if groups else {}),
            # A volume of weights has too many bytes to change their owner at every start.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": list(containers),
        "volumes": list(volumes),
        **spec,
    }


def container(
    name: str, image: Image, *, resources: Mapping[str, Mapping[str, str]], **spec: Any
) -> Manifest:
    """A container without privileges and with a read-only file system."""
    return {
        "name": name,
        "image": image.reference,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "resources": dict(resources),
        **spec,
    }


def variables(values: Mapping[str, Any]) -> list[Manifest]:
    """The `env` of a container: a mapping is the source of a value, all else the value itself."""
    return [
        {"name": name, "valueFrom" if isinstance(value, Mapping) else "value": value}
        for name, value in values.items()
    ]


def from_secret(secret: Any, key: str) -> Manifest:
    """The source of a variable: one key of a Secret."""
    return {"secretKeyRef": {"name": secret, "key": key}}
