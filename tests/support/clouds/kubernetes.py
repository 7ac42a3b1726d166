"""The simulated Kubernetes: a cluster that takes objects of every kind, and charts.

Names, replacements and identities are those of pulumi-kubernetes, read on 2026-11-22 at the commit
of 2026-07-01: provider/pkg/provider/diff.go and provider.go, provider/pkg/metadata/naming.go,
provider/pkg/provider/helm_release.go. Status and defaults are what an API server of an idle cluster
would answer. No custom resource needs its definition here: which ones a chart brings is not known.
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
_ROLE = ("roleRef",)
REPLACE: dict[str, tuple[str, ...]] = {
    RELEASE: ("name", "namespace"),
    "apps/v1:DaemonSet": ("spec.selector",),
    "apps/v1:Deployment": ("spec.selector",),
    "apps/v1:StatefulSet": (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        "spec.selector",
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
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
    "rbac.authorization.k8s.io/v1:ClusterRoleBinding": _ROLE,
    "rbac.authorization.k8s.io/v1:RoleBinding": _ROLE,
    "storage.k8s.io/v1:StorageClass": ("parameters", "provisioner"),
}
"""What makes a new object, beside its name and its namespace."""

_SELECTED = ("spec.selector", "spec.template")
REQUIRED: dict[str, tuple[str, ...]] = {
    RELEASE: ("chart",),
    "apps/v1:DaemonSet": _SELECTED,
    "apps/v1:Deployment": _SELECTED,
    "apps/v1:StatefulSet": _SELECTED,
    "batch/v1:Job": ("spec.template",),
    "core/v1:PersistentVolumeClaim": ("spec.accessModes", "spec.resources"),
    "rbac.authorization.k8s.io/v1:ClusterRoleBinding": _ROLE,
    "rbac.authorization.k8s.io/v1:RoleBinding": _ROLE,
    "storage.k8s.io/v1:StorageClass": ("provisioner",),
}
"""What the API server insists on: https://kubernetes.io/docs/reference/kubernetes-api/."""

WITHOUT_NAMESPACE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTriggerAuthentication",
    "CSIDriver",
    "CustomResourceDefinition",
    "EC2NodeClass",
    "GatewayClass",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "NodePool",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingWebhookConfiguration",
}
FIRST_NAMESPACES = {"default", "kube-node-lease", "kube-public", "kube-system"}


class Cluster(Provider):
    """Makes, changes and deletes the objects of one cluster."""

    SUFFIX = 8

    def __init__(self) -> None:
        super().__init__("kubernetes", {}, "")
        self._kubeconfig = ""

    def configured(self, given: Properties) -> None:
        """Take the way to the cluster, which says whose cluster it is."""
        self._kubeconfig = str(given.get("kubeconfig") or "")

    def kind(self, token: str, context: Any) -> tuple[Kind, Schema]:
        """Every kind of object is known."""
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
        """Name what has no name, and mark an object whose name was made."""
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
        """What the API server would refuse."""
        for path in REQUIRED.get(_short(token), ()):
            if at(news, path) is None:
                yield path, "is required and missing"
        wanted = at(news, "spec.selector.matchLabels")
        labels = at(news, "spec.template.metadata.labels")
        # What makes no pods, such as a disruption budget, selects those of others.
        makes_pods = at(news, "spec.template") is not None
        if makes_pods and isinstance(wanted, dict) and not wanted.items() <= (labels or {}).items():
            yield "spec.template.metadata.labels", f"{labels} does not match the selector {wanted}"

    def deletes_first(self, olds: Properties, news: Properties) -> bool:
        """True when an object is replaced by one whose name somebody chose, and chose again."""
        same_name = all(at(olds, path) == at(news, path) for path in NAMED)
        return "metadata" in news and same_name and not _is_autonamed(news)

    def identity(self, kind: Kind, facts: Facts) -> str:
        """The namespace and the name."""
        metadata = facts.inputs.get("metadata", facts.inputs)
        return "/".join(filter(None, [self._namespace(facts.token, metadata), metadata["name"]]))

    def made(self, kind: Kind, known: Schema, facts: Facts, identity: str) -> Properties:
        """An object as the API server answers it, or a chart as Helm does."""
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
        self,
        token: str,
        known: Schema,
        outputs: Properties,
        olds: Properties,
        news: Properties,
    ) -> Properties:
        """The object with what the API server gave it before."""
        short = _short(token)
        if short == RELEASE:
            revision = outputs["status"]["revision"] + 1
            return news | {"status": self._release(news) | {"revision": revision}}
        added = {k: v for k, v in outputs["metadata"].items() if k not in olds["metadata"]}
        metadata = added | news["metadata"] | {"generation": added["generation"] + 1}
        live = self._live(short, news, hashlib.sha256(metadata["uid"].encode()).hexdigest())
        if short == "core/v1:Service":  # an address stays
            live["spec"]["clusterIP"] = at(outputs, "spec.clusterIP")
        return news | {"metadata": metadata} | live

    def lacking(self, facts: Facts, resources: Mapping[str, Any]) -> str:
        """An object needs its namespace, which only a chart may make by itself."""
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
        """What the API server and the controllers add to an object."""
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
            case "apps/v1:Deployment" | "apps/v1:StatefulSet":
                return {"status": ready | {"updatedReplicas": replicas}}
            case "apps/v1:DaemonSet":
                return {"status": {"desiredNumberScheduled": 1, "numberReady": 1}}
            case "batch/v1:Job":
                return {"status": {"succeeded": spec.get("completions", 1)}}
        return {}

    def _service(self, spec: Properties, digest: str) -> Properties:
        """A service with an address; a load balancer is a name at AWS, an address elsewhere."""
        kind = spec.get("type", "ClusterIP")
        address = f"10.96.{int(digest[:2], 16)}.{int(digest[2:4], 16)}"
        live = spec | {"type": kind, "clusterIP": spec.get("clusterIP", address)}
        if kind != "LoadBalancer":
            return {"spec": live, "status": {"loadBalancer": {}}}
        at_aws = ".eks.amazonaws.com" in self._kubeconfig
        where = {"hostname": f"{digest[:12]}.elb.us-east-1.amazonaws.com"}
        ingress = where if at_aws else {"ip": "203.0.113.10"}
        return {"spec": live, "status": {"loadBalancer": {"ingress": [ingress]}}}


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
