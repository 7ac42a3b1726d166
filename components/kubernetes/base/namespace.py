"""An isolated namespace, and the NetworkPolicies that open single connections in it."""

from collections.abc import Mapping, Sequence
from typing import Literal

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.base.pods import Manifest

METADATA_SERVICE = "169.254.169.254/32"
"""The clouds' metadata service, which gives out a node's credentials; no pod may reach it."""

INTERNET = {
    "ipBlock": {
        "cidr": "0.0.0.0/0",
        "except": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", METADATA_SERVICE],
    }
}
"""Every address that is not private."""

Level = Literal["restricted", "baseline", "privileged"]


class IsolatedNamespace(pulumi.ComponentResource):
    """A namespace whose pods can only resolve names until a policy allows more.

    Creates a Namespace at Pod Security level `restricted`, a NetworkPolicy that denies all traffic
    in both directions, and one that allows DNS.
    """

    namespace: pulumi.Output[str]

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("seamless:kubernetes:IsolatedNamespace", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = kubernetes.core.v1.Namespace(
            name, metadata={"labels": pod_security("restricted")}, opts=child
        )
        self.namespace = namespace.metadata["name"]
        network_policy(f"{name}-deny-all", self.namespace, {}, ingress=[], egress=[], opts=child)
        dns = {
            "to": [
                {
                    "namespaceSelector": in_namespace("kube-system"),
                    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                }
            ],
            "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
        }
        network_policy(f"{name}-dns", self.namespace, {}, egress=[dns], opts=child)
        self.register_outputs({"namespace": self.namespace})


def pod_security(level: Level) -> dict[str, str]:
    """Labels of a namespace at a Pod Security level."""
    return {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn")}


def in_namespace(name: pulumi.Input[str]) -> Manifest:
    """Selects a namespace by its name."""
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}


def pods_with(labels: Mapping[str, str]) -> Manifest:
    """Selects pods of the same namespace by their labels."""
    return {"podSelector": {"matchLabels": labels}}


def network_policy(
    name: str,
    namespace: pulumi.Input[str],
    labels: Mapping[str, str],
    *,
    ingress: Sequence[Manifest] | None = None,
    egress: Sequence[Manifest] | None = None,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Allow pods with these labels exactly this traffic; None leaves a direction as it is.

    Empty labels select every pod of the namespace.
    """
    rules = {"ingress": ingress, "egress": egress}
    policy: pulumi.Resource = kubernetes.networking.v1.NetworkPolicy(
        name,
        metadata={"namespace": namespace},
        spec={
            "podSelector": {"matchLabels": labels} if labels else {},
            "policyTypes": [key.title() for key, value in rules.items() if value is not None],
            **{key: list(value) for key, value in rules.items() if value},
        },
        opts=opts,
    )
    return policy


def ingress(
    name: str,
    namespace: pulumi.Input[str],
    labels: Mapping[str, str],
    port: int,
    *sources: Manifest,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Let `sources` reach one TCP port of pods with these labels; no source means any address."""
    rule = {"from": list(sources)} if sources else {}
    rule["ports"] = [{"protocol": "TCP", "port": port}]
    return network_policy(name, namespace, labels, ingress=[rule], opts=opts)


def egress(
    name: str,
    namespace: pulumi.Input[str],
    labels: Mapping[str, str],
    port: int,
    *targets: Manifest,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Let pods with these labels reach one TCP port of `targets`."""
    rule = {"to": list(targets), "ports": [{"protocol": "TCP", "port": port}]}
    return network_policy(name, namespace, labels, egress=[rule], opts=opts)
