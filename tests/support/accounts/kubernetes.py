"""A cluster without a cloud, and the Kubernetes objects of a component in it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from analysis.mock_engine import observe
from components.contracts import ServiceExposure
from components.kubernetes.inference import ClusterInference
from components.kubernetes.scheduling.gpu_sharing import GpuPlatform, shared
from components.kubernetes.serving.model_spec import ModelSpec
from policies.resource import Resource
from sizing.machines import gpu

SMALL = ModelSpec(
    model="llama-3.1-8b",
    repository="meta-llama/Llama-3.1-8B-Instruct",
    revision="0e9e39f249a16976918f6564b8830bc894c89659",
    weights_gib=15,
    context_tokens=16_384,
    concurrency=16,
    gpus=1,
)
"""One GPU is enough."""

WIDE = replace(SMALL, model="llama-3.1-405b", weights_gib=760, gpus=8, nodes=2)
"""Needs two nodes of eight GPUs."""

OWN = GpuPlatform(product="a cluster", configurable_plugin=True, partitions=False)
WHOLE = shared(OWN, gpu("h100"), "exclusive", minimum_nodes=1)


@dataclass(frozen=True, kw_only=True)
class DescribedCluster:
    """The contract `Cluster`, without a cloud."""

    provider: pulumi.ProviderResource
    gpu_labels: dict[str, str]
    gpu_taint: str
    gpu_resource: str
    gpu_device_class: str | None
    weights_volume: dict[str, Any]
    exposure: ServiceExposure
    add_ons: dict[str, dict[str, Any]]


def described(gpu: str = "nvidia.com/gpu") -> DescribedCluster:
    """A cluster for a Pulumi program."""
    return DescribedCluster(
        provider=kubernetes.Provider("cluster", kubeconfig="{}"),
        gpu_labels={"seamless.dev/pool": "gpu"},
        gpu_taint=gpu,
        gpu_resource=gpu,
        gpu_device_class=None,
        weights_volume={"nfs": {"server": "10.20.0.9", "path": "/weights"}},
        exposure=ServiceExposure(
            service_type="NodePort",
            annotations={},
            node_port=30443,
            address=pulumi.Output.from_input("model.internal"),
            sources=["10.20.0.0/16"],
        ),
        add_ons={},
    )


def objects(program: Callable[[], object]) -> list[Resource]:
    """The Kubernetes objects of a Pulumi program."""

    def run() -> None:
        program()

    planned = observe(run, project="seamless", stack="test").planned
    return [resource for resource in planned if resource.type.startswith("kubernetes:")]


def manifest(resource: Resource) -> dict[str, Any]:
    """The object that the API server gets."""
    body = dict(resource.inputs)
    body["metadata"] = {"name": f"{resource.name}-00000000", **body.get("metadata", {})}
    if "stringData" in body:
        # A plan hides the data; the keys do not matter for the schema.
        keys = (
            ["tls.crt", "tls.key"] if body.get("type") == "kubernetes.io/tls" else ["key", "token"]
        )
        body["stringData"] = dict.fromkeys(keys, "hidden")
    return body


def one(resources: list[Resource], kind: str, name: str = "") -> dict[str, Any]:
    """The object of a kind, and of a name if there are several."""
    (found,) = [r for r in resources if r.inputs.get("kind") == kind and name in ("", r.name)]
    return manifest(found)


def model(
    name: str, spec: ModelSpec = SMALL, *, token: str = "", **changes: Any
) -> ClusterInference:
    """A model in a described cluster, for a Pulumi program."""
    return ClusterInference(
        name,
        cluster=replace(described(), **changes),
        sharing=WHOLE,
        model_spec=spec,
        sizing="as sized",
        hugging_face_token=pulumi.Output.secret(token) if token else None,
    )
