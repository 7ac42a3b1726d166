"""The simulated Kubernetes behaves towards a real engine as an API server and Helm do.

It proves nothing of a real cluster: no pod runs, and what an admission refuses passes here.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi_kubernetes import Provider
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment, StatefulSet
from pulumi_kubernetes.batch.v1 import Job
from pulumi_kubernetes.core.v1 import (
    ConfigMap,
    Namespace,
    PersistentVolumeClaim,
    Secret,
    Service,
)
from pulumi_kubernetes.helm.v3 import Release

from tests.support.clouds.small import Small

pytestmark = [
    pytest.mark.nightly,  # deployments of the stacks use the same simulation every day
    # The SDK leaves tasks behind when the engine ends a program that runs in this process.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EKS = "clusters: [{cluster: {server: https://1.gr7.us-east-1.eks.amazonaws.com}}]"


def pods(app: str = "web", image: str = "web:1") -> dict[str, Any]:
    """A template of pods."""
    containers = [{"name": "web", "image": image}]
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": containers}}


def deployment(app: str = "web", image: str = "web:1", **metadata: Any) -> Deployment:
    """Pods that a selector finds."""
    selector = {"matchLabels": {"app": app}}
    spec = {"replicas": 2, "selector": selector, "template": pods(app, image)}
    return Deployment("web", metadata=metadata, spec=spec)


def objects(*, app: str, image: str, address: str, storage: str, size: str, text: str) -> None:
    """One object of each kind that has something fixed, all but one with a chosen name."""
    named = {"name": "named"}
    deployment(app, image, name="named")
    template = pods(app, image)
    Job("job", metadata=named, spec={"template": template, "backoffLimit": len(size)})
    Service("service", metadata=named, spec={"clusterIP": address, "ports": [{"port": len(size)}]})
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": storage}
    claim["resources"] = {"requests": {"storage": size}}  # type: ignore[assignment]
    PersistentVolumeClaim("claim", metadata=named, spec=claim)
    selector = {"matchLabels": {"app": app}}
    sets = {"serviceName": app, "selector": selector, "template": template}
    StatefulSet("set", metadata=named, spec=sets)
    ConfigMap("map", data={"text": text})


FIRST = {
    "app": "web",
    "image": "web:1",
    "address": "10.96.0.10",
    "storage": "fast",
    "size": "10Gi",
    "text": "one",
}


def test_an_object_has_a_name_a_status_and_is_there_until_it_is_destroyed(small: Small) -> None:
    """A name that nobody chose is made from the logical one; a second `up` changes nothing."""

    def program() -> None:
        web = deployment()
        Namespace("models")
        pulumi.export("name", web.metadata.name)
        pulumi.export("status", web.status)

    outputs = small.up(program)
    created = small.changes
    small.up(program)

    assert created == {"create": 3}
    assert small.changes == {"same": 3}
    assert re.fullmatch(r"web-[0-9a-f]{8}", outputs["name"])
    assert outputs["status"]["readyReplicas"] == 2
    there = {item["id"] for item in small.world("kubernetes").resources().values()}
    assert f"default/{outputs['name']}" in there
    assert small.outputs("web", "kubernetes")["metadata"]["namespace"] == "default"
    small.destroy()
    assert small.names("kubernetes") == set()


def test_what_is_fixed_replaces_and_everything_else_updates(small: Small) -> None:
    """A replacement with a chosen name takes the place of the old object without a collision."""

    def program(**other: str) -> Callable[[], None]:
        return lambda: objects(**(FIRST | other))

    small.up(program())
    small.up(program(image="web:2", size="20 Gi"))
    updated = small.changes
    before = small.outputs("map", "kubernetes")["metadata"]["name"]
    small.up(program(app="new", address="10.96.0.11", storage="slow", text="two"))

    # A job's pods are fixed, and so is what a map holds.
    assert updated == {"update": 4, "replace": 1, "same": 2}
    assert small.changes == {"replace": 6, "same": 1}
    assert small.outputs("map", "kubernetes")["metadata"]["name"] != before
    assert small.outputs("web", "kubernetes")["spec"]["selector"]["matchLabels"] == {"app": "new"}


def test_a_secret_is_encrypted_in_the_state(small: Small) -> None:
    """The cluster holds it as base64, which is no encryption either."""
    word = "word-that-nobody-may-read"
    small.up(lambda: Secret("key", string_data={"token": word}) and None)

    encoded = base64.b64encode(word.encode()).decode()
    assert small.outputs("key", "kubernetes")["data"] == {"token": encoded}
    state = [file for file in (small.folder / "state").rglob("*.json*") if file.is_file()]
    assert state
    texts = [file.read_text() for file in state]
    assert [text for text in texts if word in text or encoded in text] == []


def test_a_load_balancer_has_a_name_at_aws_and_an_address_elsewhere(small: Small) -> None:
    """The way to the cluster says where it is; an address inside stays when ports change."""

    def program(port: int) -> Callable[[], None]:
        def run() -> None:
            opts = pulumi.ResourceOptions(provider=Provider("eks", kubeconfig=EKS))
            spec = {"type": "LoadBalancer", "ports": [{"port": port}]}
            pulumi.export("eks", Service("eks", spec=spec, opts=opts).status)
            pulumi.export("other", Service("other", spec=spec).status)
            pulumi.export("inside", Service("inside", spec={"ports": [{"port": port}]}).spec)

        return run

    first = small.up(program(80))
    second = small.up(program(81))

    (ingress,) = first["eks"]["loadBalancer"]["ingress"]
    assert ingress["hostname"].endswith(".elb.us-east-1.amazonaws.com")
    assert first["other"] == {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}}
    assert first["inside"]["clusterIP"].startswith("10.96.")
    assert second["inside"]["clusterIP"] == first["inside"]["clusterIP"]


def test_a_chart_is_updated_by_its_version_and_replaced_by_its_name(small: Small) -> None:
    """It may make its namespace, which nothing else does."""

    def program(version: str, name: str, replicas: int = 1) -> Callable[[], None]:
        def run() -> None:
            release = Release(
                "keda",
                chart="keda",
                name=name,
                namespace="keda",
                create_namespace=True,
                version=version,
                values={"replicas": replicas},
            )
            pulumi.export("status", release.status)

        return run

    first = small.up(program("2.18.0", "keda"))
    second = small.up(program("2.18.1", "keda", 2))
    updated = small.changes
    small.up(program("2.18.1", "scaler", 2))

    assert first["status"]["status"] == "deployed"
    assert first["status"]["version"] == "2.18.0"
    assert (second["status"]["version"], second["status"]["revision"]) == ("2.18.1", 2)
    assert updated == {"update": 1, "same": 1}
    assert small.changes == {"replace": 1, "same": 1}


def test_every_kind_of_custom_resource_is_taken(small: Small) -> None:
    """And kept, by the group and version that it names; drift in it is seen and mended."""

    def program() -> None:
        CustomResource(
            "scaler",
            api_version="keda.sh/v1alpha1",
            kind="ScaledObject",
            metadata={"name": "scaler"},
            spec={"minReplicaCount": 1},
        )

    small.up(program)
    with small.world("kubernetes").change() as resources:
        (found,) = resources.values()
        found["outputs"]["spec"]["minReplicaCount"] = 0
    small.refresh()
    seen = small.changes
    small.up(program)

    assert found["type"] == "kubernetes:keda.sh/v1alpha1:ScaledObject"
    assert seen["update"] == 1
    assert small.changes == {"update": 1, "same": 1}
    assert small.outputs("scaler", "kubernetes")["spec"] == {"minReplicaCount": 1}


def unmatched() -> None:
    """A selector that finds none of its own pods."""
    spec = {"selector": {"matchLabels": {"app": "other"}}, "template": pods()}
    Deployment("web", spec=spec)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (lambda: Deployment("web", spec={"template": pods()}), "spec.selector"),
        (unmatched, "does not match the selector"),
        (lambda: deployment(namespace="models"), 'namespaces "models" not found'),
    ],
    ids=["no selector", "no match", "no namespace"],
)
def test_what_an_api_server_refuses_is_refused(
    small: Small, program: Callable[[], None], reason: str
) -> None:
    """Nothing is made."""
    assert reason in small.refused(program)
    assert small.names("kubernetes") == set()
