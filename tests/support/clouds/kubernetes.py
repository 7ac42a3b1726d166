"""The simulated Kubernetes: a cluster for the kinds that the stacks use, and for charts.

Names, replacements and identities are those of pulumi-kubernetes, read on 2026-11-22 at the commit
of 2026-07-01: provider/pkg/provider/diff.go and provider.go, provider/pkg/metadata/naming.go,
provider/pkg/provider/helm_release.go. Status and defaults are those of an idle cluster. A
custom resource needs no definition here.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.clouds.kinds import Facts, Kind, at
from tests.support.clouds.provider import Properties, Provider
from tests.support.clouds.schema import Schema

RELEASE = "helm.sh/v3:Release"
AUTONAMED = {"pulumi.com/autonamed": "true"}
NAMED = ("metadata.name", "metadata.namespace")

_SOURCES = ("csi", "hostPath", "local", "nfs", "iscsi", "fc")
REPLACE: dict[str, tuple[str, ...]] = {
    RELEASE: ("name", "namespace"),
    "apps/v1:Deployment": ("spec.selector",),
    "batch/v1:Job": ("spec.completions", "spec.parallelism", "spec.selector", "spec.template"),
    # Unless the provider's enableConfigMapMutable or enableSecretMutable is on, which none is here.
    "core/v1:ConfigMap": ("data", "binaryData"),
    "core/v1:Secret": ("type", "data", "stringData"),
    "core/v1:PersistentVolume": tuple(f"spec.{source}" for source in _SOURCES),
    "core/v1:PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.selector",
        "spec.storageClassName",
        "spec.volumeName",
    ),
    "core/v1:ResourceQuota": ("spec.scopes",),
    "core/v1:Service": ("spec.clusterIP",),
    "rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
}
"""Inputs whose change replaces an object, beside its name and its namespace."""

REQUIRED: dict[str, tuple[str, ...]] = {
    RELEASE: ("chart",),
    "apps/v1:Deployment": ("spec.selector", "spec.template"),
    "batch/v1:Job": ("spec.template",),
    "core/v1:PersistentVolumeClaim": ("spec.accessModes", "spec.resources"),
    "rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
}
"""Inputs that the API server requires: https://kubernetes.io/docs/reference/kubernetes-api/."""

WITHOUT_NAMESPACE = {"Namespace", "PersistentVolume", "PriorityClass"}
FIRST_NAMESPACES = {"default", "kube-node-lease", "kube-public", "kube-system"}


class Cluster(Provider):
    """Makes, changes and deletes the objects of one cluster."""

    SUFFIX = 8

    def __init__(self) -> None:
        super().__init__("kubernetes", {}, "")

    def kind(self, token: str, context: Any) -> tuple[Kind, Schema]:
        """Every kind of object is valid."""
        short = _short(token)
        always = {"status": "dict"} | ({} if short == RELEASE else {"metadata": "dict"})
        replace = REPLACE.get(short, ())
        return (
            Kind(id="", replace=replace if short == RELEASE else (*NAMED, *replace)),
            Schema(required=frozenset(), inputs=frozenset(), always=always),
        )

    def named(
        self, kind: Kind, known: Schema, fresh: str, olds: Properties, news: Properties
    ) -> Properties:
        """Generate a missing name, and mark the object as autonamed."""
        if "chart" in news:
            return news | {"name": news.get("name") or olds.get("name") or fresh}
        metadata = news.get("metadata") or {}
        if metadata.get("name") or metadata.get("generateName"):
            return news
        name = at(olds, "metadata.name") if _is_autonamed(olds) else fresh
        annotations = (metadata.get("annotations") or {}) | AUTONAMED
        return news | {"metadata": metadata | {"name": name, "annotations": annotations}}

    def refusals(
        self, token: str, kind: Kind, known: Schema, olds: Properties, news: Properties
    ) -> Iterator[tuple[str, str]]:
        """Reasons for which the API server would reject the object."""
        for path in REQUIRED.get(_short(token), ()):
            if at(news, path) is None:
                yield path, "is required and missing"
        wanted = at(news, "spec.selector.matchLabels")
        labels = at(news, "spec.template.metadata.labels")
        # An object without pods, such as a disruption budget, selects those of others.
        makes_pods = at(news, "spec.template") is not None
        if makes_pods and isinstance(wanted, dict) and not wanted.items() <= (labels or {}).items():
            yield "spec.template.metadata.labels", f"{labels} does not match the selector {wanted}"

    def deletes_first(self, olds: Properties, news: Properties) -> bool:
        """True when the replacement has the same explicit name."""
        same_name = all(at(olds, path) == at(news, path) for path in NAMED)
        return "metadata" in news and same_name and not _is_autonamed(news)

    def identity(self, kind: Kind, facts: Facts) -> str:
        """The namespace and the name."""
        metadata = facts.inputs.get("metadata", facts.inputs)
        return "/".join(filter(None, [self._namespace(facts.token, metadata), metadata["name"]]))

    def made(self, kind: Kind, known: Schema, facts: Facts, identity: str) -> Properties:
        """The object as the API server returns it, or the release as Helm does."""
        inputs, words, short = dict(facts.inputs), facts.words(), _short(facts.token)
        if short == RELEASE:
            return inputs | {"status": self._release(inputs)}
        metadata = {
            **inputs["metadata"],
            "uid": words["uuid"],
            "creationTimestamp": "2026-11-22T00:00:00Z",
            "generation": 1,
            "resourceVersion": "1",
        }
        if namespace := self._namespace(facts.token, metadata):
            metadata["namespace"] = namespace
        return inputs | {"metadata": metadata} | self._live(short, inputs, words["hex"])

    def changed(
        self, token: str, known: Schema, outputs: Properties, olds: Properties, news: Properties
    ) -> Properties:
        """The updated object, with the fields that the API server added."""
        short = _short(token)
        if short == RELEASE:
            return news | {"status": self._release(news)}
        added = {k: v for k, v in outputs["metadata"].items() if k not in olds["metadata"]}
        metadata = added | news["metadata"] | {"generation": added["generation"] + 1}
        live = self._live(short, news, hashlib.sha256(metadata["uid"].encode()).hexdigest())
        if short == "core/v1:Service":  # an address stays
            live["spec"]["clusterIP"] = at(outputs, "spec.clusterIP")
        return news | {"metadata": metadata} | live

    def lacking(self, facts: Facts, resources: Mapping[str, Any]) -> str:
        """The namespace that is missing; only a chart may create its own."""
        namespace = self._namespace(facts.token, facts.inputs.get("metadata", facts.inputs))
        there = {"", *FIRST_NAMESPACES}
        for item in resources.values():
            there |= {item["id"]} if item["type"].endswith(":Namespace") else set()
            there |= {item["outputs"]["namespace"]} if _makes_namespace(item["outputs"]) else set()
        if namespace in there or _makes_namespace(facts.inputs):
            return ""
        return f'namespaces "{namespace}" not found'

    def _namespace(self, token: str, metadata: Mapping[str, Any]) -> str:
        if token.rsplit(":", 1)[-1] in WITHOUT_NAMESPACE:
            return ""
        return metadata.get("namespace") or "default"

    def _release(self, inputs: Mapping[str, Any]) -> Properties:
        return {
            "status": "deployed",
            "name": inputs["name"],
            "namespace": inputs.get("namespace") or "default",
            "chart": inputs["chart"].rsplit("/", 1)[-1],
            "version": inputs.get("version") or "1.0.0",
            "appVersion": inputs.get("version") or "1.0.0",
            "revision": 1,
        }

    def _live(self, short: str, inputs: Properties, digest: str) -> Properties:
        """Fields that the API server and the controllers add."""
        spec: Properties = inputs.get("spec") or {}
        replicas = spec.get("replicas", 1)
        ready = {"replicas": replicas, "readyReplicas": replicas, "observedGeneration": 1}
        match short:
            case "core/v1:Service":
                return self._service(spec, digest)
            case "core/v1:Secret":
                given = inputs.get("stringData") or {}
                encoded = {k: base64.b64encode(v.encode()).decode() for k, v in given.items()}
                return {"data": (inputs.get("data") or {}) | encoded} if given else {}
            case "core/v1:Namespace":
                return {"status": {"phase": "Active"}}
            case "core/v1:PersistentVolumeClaim":
                volume = spec.get("volumeName") or f"pvc-{digest[:12]}"
                return {"spec": spec | {"volumeName": volume}, "status": {"phase": "Bound"}}
            case "apps/v1:Deployment":
                return {"status": ready | {"updatedReplicas": replicas}}
            case "batch/v1:Job":
                return {"status": {"succeeded": spec.get("completions", 1)}}
        return {}

    def _service(self, spec: Properties, digest: str) -> Properties:
        """A service with a cluster address, and an external one for a load balancer."""
        kind = spec.get("type", "ClusterIP")
        address = f"10.96.{int(digest[:2], 16)}.{int(digest[2:4], 16)}"
        live = spec | {"type": kind, "clusterIP": spec.get("clusterIP", address)}
        balancer = {"ingress": [{"ip": "203.0.113.10"}]} if kind == "LoadBalancer" else {}
        return {"spec": live, "status": {"loadBalancer": balancer}}


def provider() -> Provider:
    """The plugin's one provider."""
    return Cluster()


def _short(token: str) -> str:
    return token.removeprefix("kubernetes:")


def _makes_namespace(inputs: Mapping[str, Any]) -> bool:
    return bool(inputs.get("createNamespace") and inputs.get("namespace"))


def _is_autonamed(inputs: Properties) -> bool:
    annotations = at(inputs, "metadata.annotations") or {}
    return bool(AUTONAMED.items() <= annotations.items())
