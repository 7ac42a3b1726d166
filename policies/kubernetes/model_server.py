"""K8S-21: vLLM requires a key, a context length, and pinned weights without remote code."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.kubernetes.pods import (
    containers,
    flag,
    makes_pods,
    named,
    pod_specs,
    serves_vllm,
    words,
)
from policies.resource import UNKNOWN, Hidden, Resource
from policies.rule import ResourceRule
from policies.values import is_undecided, listed, mapped


def _check(resource: Resource) -> Iterator[str]:
    for spec in pod_specs(resource):
        for container in containers(spec):
            if any(is_undecided(container.get(key)) for key in ("command", "args")):
                continue
            if serves_vllm(container):
                yield from _server(container)
            elif words(container)[:2] == ["hf", "download"] and not flag(container, "--revision"):
                yield f"{named(container)} downloads an unpinned revision: it has no --revision."


def _server(container: Mapping[str, Any]) -> Iterator[str]:
    name = named(container)
    if flag(container, "--api-key") is not None:
        yield f"{name} has --api-key in its arguments, which every process of the node can read."
    elif not _has_variable(container, "VLLM_API_KEY"):
        yield f"{name} requires no key: it has no VLLM_API_KEY."
    if not flag(container, "--max-model-len"):
        yield f"{name} has no --max-model-len: the default of the model may not fit into memory."
    if flag(container, "--trust-remote-code") is not None:
        yield f"{name} runs code from the model repository: --trust-remote-code."
    said = words(container)
    model = flag(container, "--model") or (said[2] if len(said) > 2 else "")
    if not model.startswith("/") and not flag(container, "--revision"):
        yield f"{name} serves an unpinned revision of {model}: it has no --revision."


def _has_variable(container: Mapping[str, Any], name: str) -> bool:
    variables = container.get("env")
    if isinstance(variables, Hidden):
        return True
    return any(
        isinstance(variable, Hidden) or mapped(variable).get("name") in (name, UNKNOWN)
        for variable in listed(variables)
    )


RULE = ResourceRule(
    id="K8S-21",
    title="vLLM requires a key, sets a context length, runs no remote code, and pins its revision.",
    severity="high",
    enforcement="mandatory",
    remedy="Read VLLM_API_KEY from a Secret, set --max-model-len, remove --trust-remote-code, and "
    "pin the weights: pulumi config set gpu_model_revision COMMIT.",
    source="https://docs.vllm.ai/en/stable/usage/security/ (2026)",
    applies=makes_pods,
    check=_check,
)
