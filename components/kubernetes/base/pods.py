"""Parts of pod manifests; every pod passes the Pod Security level `restricted`."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.kubernetes.base.images import Image

Manifest = dict[str, Any]
"""A Kubernetes object or a part of one, spelt as in YAML."""

REPLACE_FAILED = {"pulumi.com/replaceUnready": "true"}
"""Annotations of a Job that the next `up` replaces if it failed.

Without them Pulumi keeps waiting for the failed Job (pulumi/pulumi-kubernetes#856, 2021-05).
"""


def pod(
    name: str,
    image: Image,
    *,
    resources: Manifest,
    env: Mapping[str, Any] | None = None,
    volumes: Mapping[str, Manifest] | None = None,
    groups: Sequence[int] = (),
    spec: Manifest | None = None,
    **container: Any,
) -> Manifest:
    """Spec of a pod with one container, at Pod Security level `restricted`.

    Args:
        name: Of the container.
        env: A mapping is the source of a value, all else the value itself.
        volumes: By the path at which they are mounted.
        groups: Supplemental groups of the user.
        spec: More fields of the pod, which replace the defaults.
        container: More fields of the container.
    """
    if env:
        container["env"] = [
            {"name": key, "valueFrom" if isinstance(value, Mapping) else "value": value}
            for key, value in env.items()
        ]
    if volumes:
        container["volumeMounts"] = [_mount(path, volume) for path, volume in volumes.items()]
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
        "containers": [
            {
                "name": name,
                "image": image.reference,
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
                "resources": resources,
                **container,
            }
        ],
        "volumes": list((volumes or {}).values()),
        **(spec or {}),
    }


def _mount(path: str, volume: Manifest) -> Manifest:
    """Read-only, except for scratch space and a claim that can be written."""
    claim = volume.get("persistentVolumeClaim")
    writable = "emptyDir" in volume if claim is None else not claim.get("readOnly")
    return {"name": volume["name"], "mountPath": path, **({} if writable else {"readOnly": True})}


def resources(cpu: str, memory: str, *, memory_limit: str, disk_limit: str) -> Manifest:
    """Requests and limits of a container; CPU is not limited."""
    return {
        "requests": {"cpu": cpu, "memory": memory},
        "limits": {"memory": memory_limit, "ephemeral-storage": disk_limit},
    }


def probe(path: str, *, port: str = "http", timeout: int = 3, **spec: int) -> Manifest:
    """An HTTP probe; `timeout` is in seconds."""
    return {"httpGet": {"path": path, "port": port}, "timeoutSeconds": timeout, **spec}


def scratch(name: str, size: str) -> Manifest:
    """An empty volume that lives as long as the pod."""
    return {"name": name, "emptyDir": {"sizeLimit": size}}


def secret_volume(name: str, secret: Any) -> Manifest:
    """A volume with the keys of a Secret as files, readable by the pod's group."""
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}


def template(labels: Mapping[str, str], pod: Manifest) -> Manifest:
    """A pod template."""
    return {"metadata": {"labels": labels}, "spec": pod}


def job(labels: Mapping[str, str], pod: Manifest, *, retries: int) -> Manifest:
    """Spec of a Job."""
    return {"backoffLimit": retries, "template": template(labels, pod)}


def deployment(labels: Mapping[str, str], pod: Manifest, *, replicas: int, **more: Any) -> Manifest:
    """Spec of a Deployment; `more` fields replace the defaults."""
    return {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": template(labels, pod),
        **more,
    }


def service(labels: Mapping[str, str], port: int) -> Manifest:
    """Spec of a Service inside the cluster."""
    return {"selector": labels, "ports": [{"name": "http", "port": port}]}


def one_unavailable(labels: Mapping[str, str]) -> Manifest:
    """Spec of a PodDisruptionBudget: a drain evicts one pod at a time.

    It allows one even for a single replica: a budget of zero blocks every upgrade of the nodes.
    """
    return {"maxUnavailable": 1, "selector": {"matchLabels": labels}}


def spread(labels: Mapping[str, str], *topologies: str) -> list[Manifest]:
    """Constraints that prefer different nodes or zones for pods with these labels."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": topology,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels},
        }
        for topology in topologies
    ]


def from_secret(secret: Any, key: str) -> Manifest:
    """The source of a variable: one key of a Secret."""
    return {"secretKeyRef": {"name": secret, "key": key}}


def selector(labels: Mapping[str, str]) -> str:
    """Labels as a selector in text."""
    return ",".join(f"{key}={value}" for key, value in labels.items())
