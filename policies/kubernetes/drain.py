"""K8S-18: a model server completes its responses before it stops."""

from collections.abc import Iterator

from policies.kubernetes.pods import (
    containers,
    flag,
    makes_pods,
    named,
    pod_specs,
    serves_vllm,
)
from policies.resource import Hidden, Resource
from policies.rule import ResourceRule
from policies.values import is_undecided, mapped

_DEFAULT_GRACE = 30
"""Kubernetes' default for terminationGracePeriodSeconds."""


def _check(resource: Resource) -> Iterator[str]:
    for spec in pod_specs(resource):
        grace = spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE)
        for container in containers(spec):
            if not serves_vllm(container) or _undecided(container):
                continue
            drain = flag(container, "--shutdown-timeout")
            if not drain or not drain.isdecimal() or int(drain) == 0:
                yield f"{named(container)} cuts off responses: --shutdown-timeout is {drain}."
                continue
            wait = mapped(mapped(container.get("lifecycle")).get("preStop")).get("sleep")
            seconds = mapped(wait).get("seconds", 0)
            if not isinstance(grace, int | float) or not isinstance(seconds, int | float):
                continue
            needed = int(drain) + int(seconds)
            if grace < needed:
                yield f"{named(container)} needs {needed} s to drain but has {grace:g} s."


def _undecided(container: object) -> bool:
    keys = ("command", "args", "lifecycle")
    values = [mapped(container).get(key) for key in keys]
    return any(value is not None and is_undecided(value) for value in values) or isinstance(
        container, Hidden
    )


RULE = ResourceRule(
    id="K8S-18",
    title="A model server has time to complete every response before its pod is killed.",
    severity="high",
    enforcement="mandatory",
    remedy="Set vLLM's --shutdown-timeout to the duration of its longest response, and the pod's "
    "terminationGracePeriodSeconds to at least that plus the preStop sleep.",
    source="https://github.com/vllm-project/vllm/pull/43208 (2026-05)",
    applies=makes_pods,
    check=_check,
)
