"""Readers for the pods and containers in Kubernetes objects."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.resource import Resource
from policies.values import listed, mapped, readable

_TEMPLATES: dict[str, tuple[tuple[str, ...], ...]] = {
    "core/v1:Pod": (("spec",),),
    "apps/v1:Deployment": (("spec", "template", "spec"),),
    "apps/v1:StatefulSet": (("spec", "template", "spec"),),
    "apps/v1:DaemonSet": (("spec", "template", "spec"),),
    "apps/v1:ReplicaSet": (("spec", "template", "spec"),),
    "batch/v1:Job": (("spec", "template", "spec"),),
    "batch/v1:CronJob": (("spec", "jobTemplate", "spec", "template", "spec"),),
    "leaderworkerset.x-k8s.io/v1:LeaderWorkerSet": (
        ("spec", "leaderWorkerTemplate", "leaderTemplate", "spec"),
        ("spec", "leaderWorkerTemplate", "workerTemplate", "spec"),
    ),
}


def makes_pods(type_: str) -> bool:
    """True for the types whose objects create pods."""
    return type_.removeprefix("kubernetes:") in _TEMPLATES


def pod_specs(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """The spec of each pod template of an object; hidden ones are left out."""
    for path in _TEMPLATES.get(resource.type.removeprefix("kubernetes:"), ()):
        value: Any = resource.inputs
        for key in path:
            value = mapped(value).get(key)
        if isinstance(value, Mapping):
            yield value


def containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every container of a pod, including init containers."""
    for key in ("initContainers", "containers"):
        for container in listed(spec.get(key)):
            if isinstance(container, Mapping):
                yield container


def named(container: Mapping[str, Any]) -> str:
    """The subject of a message about a container."""
    name = readable(container.get("name"))
    return f"Container {name}" if name else "A container"


def words(container: Mapping[str, Any]) -> list[str]:
    """Command and arguments; hidden ones are left out."""
    found = [*listed(container.get("command")), *listed(container.get("args"))]
    return [text for word in found if (text := readable(word)) is not None]


def serves_vllm(container: Mapping[str, Any]) -> bool:
    """True for a container that runs a vLLM server."""
    said = words(container)
    return said[:2] == ["vllm", "serve"] or "vllm.entrypoints.openai.api_server" in said


def flag(container: Mapping[str, Any], name: str) -> str | None:
    """The value of `--name=value` or `--name value`; empty without a value, None if absent."""
    said = words(container)
    for index, word in enumerate(said):
        if word == name:
            following = said[index + 1 : index + 2]
            return "" if not following or following[0].startswith("--") else following[0]
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return None
