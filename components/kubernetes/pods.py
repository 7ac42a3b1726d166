"""Parts of pod manifests; every pod passes the Pod Security level `restricted`."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.kubernetes.images import Image

Manifest = dict[str, Any]
"""A Kubernetes object or a part of one, spelt as in YAML."""

REPLACE_FAILED = {"pulumi.com/replaceUnready": "true"}
"""Annotations of a Job that the next `up` replaces if it failed.

Without them Pulumi waits for the failed Job until its timeout (pulumi/pulumi-kubernetes#856,
2021-05).
"""


def spec(
    image: Image,
    *,
    containers: Sequence[Manifest],
    volumes: Sequence[Manifest],
    groups: Sequence[int] = (),
    **more: Any,
) -> Manifest:
    """Spec of a pod at Pod Security level `restricted`, without a token or service variables.

    Args:
        groups: Supplemental groups of its user.
        more: Fields that replace the defaults.
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
        **more,
    }


def container(name: str, image: Image, *, resources: Manifest, **spec: Any) -> Manifest:
    """A container without privileges and with a read-only file system."""
    return {
        "name": name,
        "image": image.reference,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "resources": resources,
        **spec,
    }


def resources(cpu: str, memory: str, *, memory_limit: str, disk_limit: str) -> Manifest:
    """Requests and limits of a container; CPU is not limited."""
    return {
        "requests": {"cpu": cpu, "memory": memory},
        "limits": {"memory": memory_limit, "ephemeral-storage": disk_limit},
    }


def probe(path: str, *, port: str = "http", timeout: int = 3, **spec: int) -> Manifest:
    """An HTTP probe; `timeout` is in seconds."""
    return {"httpGet": {"path": path, "port": port}, "timeoutSeconds": timeout, **spec}


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


def variables(values: Mapping[str, Any]) -> list[Manifest]:
    """The `env` of a container: a mapping is the source of a value, all else the value itself."""
    return [
        {"name": name, "valueFrom" if isinstance(value, Mapping) else "value": value}
        for name, value in values.items()
    ]


def from_secret(secret: Any, key: str) -> Manifest:
    """The source of a variable: one key of a Secret."""
    return {"secretKeyRef": {"name": secret, "key": key}}


def selector(labels: Mapping[str, str]) -> str:
    """Labels as a selector in text."""
    return ",".join(f"{key}={value}" for key, value in labels.items())
