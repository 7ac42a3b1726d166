"""The simulated Kubernetes behaves towards a real engine as an API server and Helm do.

No pod runs, and no admission controller checks an object.
"""

from collections.abc import Callable
from typing import Any

import pytest
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import ConfigMap, PersistentVolumeClaim, Service

from tests.support.clouds.small import Small

pytestmark = [
    pytest.mark.nightly,  # the engine tests use the same simulation every day
    # The SDK leaves tasks behind when the engine ends a program that runs in this process.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def pods(app: str = "web", image: str = "web:1") -> dict[str, Any]:
    """A pod template."""
    containers = [{"name": "web", "image": image}]
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": containers}}


def deployment(app: str = "web", image: str = "web:1", **metadata: Any) -> Deployment:
    """A Deployment whose selector matches its pods."""
    selector = {"matchLabels": {"app": app}}
    spec = {"replicas": 2, "selector": selector, "template": pods(app, image)}
    return Deployment("web", metadata=metadata, spec=spec)


def objects(*, app: str, image: str, address: str, storage: str, size: str, text: str) -> None:
    """One object of each kind with an immutable input; all but one have an explicit name."""
    named = {"name": "named"}
    deployment(app, image, name="named")
    template = pods(app, image)
    Job("job", metadata=named, spec={"template": template, "backoffLimit": len(size)})
    Service("service", metadata=named, spec={"clusterIP": address, "ports": [{"port": len(size)}]})
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": storage}
    claim["resources"] = {"requests": {"storage": size}}  # type: ignore[assignment]
    PersistentVolumeClaim("claim", metadata=named, spec=claim)
    ConfigMap("map", data={"text": text})


FIRST = {
    "app": "web",
    "image": "web:1",
    "address": "10.96.0.10",
    "storage": "fast",
    "size": "10Gi",
    "text": "one",
}


def test_an_immutable_input_replaces_and_any_other_updates(small: Small) -> None:
    """A replacement with an explicit name does not collide with the old object."""

    def program(**other: str) -> Callable[[], None]:
        return lambda: objects(**(FIRST | other))

    small.up(program())
    small.up(program(image="web:2", size="20 Gi"))
    updated = small.changes
    before = small.outputs("map", "kubernetes")["metadata"]["name"]
    small.up(program(app="new", address="10.96.0.11", storage="slow", text="two"))

    # The pods of a Job and the data of a ConfigMap are immutable.
    assert updated == {"update": 3, "replace": 1, "same": 2}
    assert small.changes == {"replace": 5, "same": 1}
    assert small.outputs("map", "kubernetes")["metadata"]["name"] != before
    assert small.outputs("web", "kubernetes")["spec"]["selector"]["matchLabels"] == {"app": "new"}


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (lambda: Deployment("web", spec={"template": pods()}), "spec.selector"),
        (
            lambda: Deployment(
                "web", spec={"selector": {"matchLabels": {"app": "other"}}, "template": pods()}
            ),
            "does not match the selector",
        ),
        (lambda: deployment(namespace="models"), 'namespaces "models" not found'),
    ],
    ids=["no selector", "no match", "no namespace"],
)
def test_an_object_that_an_api_server_rejects_is_not_created(
    small: Small, program: Callable[[], None], reason: str
) -> None:
    assert reason in small.refused(program)
    assert small.names("kubernetes") == set()
