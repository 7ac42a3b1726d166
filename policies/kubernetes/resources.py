"""K8S-10: containers set CPU, memory and GPU requests, so that nodes are not overcommitted."""

from collections.abc import Iterator
from typing import Any

from policies.kubernetes.pods import containers, makes_pods, named, pod_specs
from policies.resource import Hidden, Resource
from policies.rule import ResourceRule
from policies.values import mapped

_GPUS = ("nvidia.com/", "amd.com/")


def _check(resource: Resource) -> Iterator[str]:
    for spec in pod_specs(resource):
        for container in containers(spec):
            asked = container.get("resources")
            if isinstance(asked, Hidden):
                continue
            requests, limits = mapped(asked).get("requests"), mapped(asked).get("limits")
            missing = [
                *(f"requests.{key}" for key in ("cpu", "memory") if _lacks(requests, key)),
                *(["limits.memory"] if _lacks(limits, "memory") else []),
            ]
            if missing:
                yield f"{named(container)} lacks {', '.join(missing)}."
            for gpu, limit in mapped(limits).items():
                request = mapped(requests).get(gpu, limit)
                hidden = isinstance(request, Hidden) or isinstance(limit, Hidden)
                if gpu.startswith(_GPUS) and not hidden and str(request) != str(limit):
                    yield f"{named(container)} requests {request} of {gpu}; its limit is {limit}."


def _lacks(amounts: Any, key: str) -> bool:
    return not isinstance(amounts, Hidden) and mapped(amounts).get(key) is None


RULE = ResourceRule(
    id="K8S-10",
    title="Every container requests CPU and memory, limits memory, and requests GPUs as its limit.",
    severity="high",
    enforcement="mandatory",
    remedy="Set resources.requests.cpu, resources.requests.memory and resources.limits.memory; "
    "set the same number of GPUs in requests and limits.",
    source="https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/; CKV_K8S_10 to 13",
    applies=makes_pods,
    check=_check,
)
