"""A namespace in which nothing may talk to anything unless a policy of ours says so."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.pods import Manifest

METADATA_SERVICE = "169.254.169.254/32"
"""Where a node's cloud credentials are had; no pod of ours has business there."""


class Space(pulumi.ComponentResource):
    """A namespace at Pod Security level `restricted`, closed in both directions but for DNS."""

    namespace: pulumi.Output[str]

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("seamless:kubernetes:Space", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
        namespace = kubernetes.core.v1.Namespace(name, metadata={"labels": level}, opts=child)
        self.namespace = namespace.metadata["name"]
        kubernetes.networking.v1.NetworkPolicy(
            f"{name}-closed",
            metadata={"namespace": self.namespace},
            spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
            opts=child,
        )
        kubernetes.networking.v1.NetworkPolicy(
            f"{name}-dns",
            metadata={"namespace": self.namespace},
            spec={
                "podSelector": {},
                "policyTypes": ["Egress"],
                "egress": [
                    {
                        "to": [
                            {
                                "namespaceSelector": in_namespace("kube-system"),
                                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
                            }
                        ],
                        "ports": [
                            {"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")
                        ],
                    }
                ],
            },
            opts=child,
        )
        self.register_outputs({"namespace": self.namespace})


def in_namespace(name: pulumi.Input[str]) -> Manifest:
    """Selects a namespace by its name."""
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}


def ingress(
    name: str,
    *,
    namespace: pulumi.Input[str],
    to: Manifest,
    port: int,
    sources: Sequence[Manifest],
    opts: pulumi.ResourceOptions,
) -> kubernetes.networking.v1.NetworkPolicy:
    """Let `sources` reach one port of the pods with the labels `to`; no source means everybody."""
    rule: Manifest = {"ports": [{"protocol": "TCP", "port": port}]}
    return kubernetes.networking.v1.NetworkPolicy(
        name,
        metadata={"namespace": namespace},
        spec={
            "podSelector": {"matchLabels": to},
            "policyTypes": ["Ingress"],
            "ingress": [{**rule, "from": list(sources)} if sources else rule],
        },
        opts=opts,
    )


def egress(
    name: str,
    *,
    namespace: pulumi.Input[str],
    from_: Manifest,
    port: int,
    targets: Sequence[Manifest],
    opts: pulumi.ResourceOptions,
) -> kubernetes.networking.v1.NetworkPolicy:
    """Let the pods with the labels `from_` reach one port of `targets`."""
    return kubernetes.networking.v1.NetworkPolicy(
        name,
        metadata={"namespace": namespace},
        spec={
            "podSelector": {"matchLabels": from_},
            "policyTypes": ["Egress"],
            "egress": [{"to": list(targets), "ports": [{"protocol": "TCP", "port": port}]}],
        },
        opts=opts,
    )


INTERNET = {
    "ipBlock": {
        "cidr": "0.0.0.0/0",
        "except": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", METADATA_SERVICE],
    }
}
"""Everything that is not private."""
