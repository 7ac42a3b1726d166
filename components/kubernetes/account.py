"""Who may ask the API server something: an account for a pod, what it may do, and its way there."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.pods import Manifest
from components.kubernetes.space import METADATA_SERVICE, egress

API_PORTS = (443, 6443)
"""443 is the Service; behind it DOKS and EKS listen at 443 or 6443."""


class Account(pulumi.ComponentResource):
    """A service account with rights in its own namespace only."""

    account: pulumi.Output[str]
    """Name of the ServiceAccount."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Output[str],
        labels: dict[str, str],
        rules: Sequence[Manifest],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: labels: Of the pods that use it."""
        super().__init__("seamless:kubernetes:Account", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        place = {"namespace": namespace}
        account = kubernetes.core.v1.ServiceAccount(name, metadata=place, opts=child)
        role = kubernetes.rbac.v1.Role(name, metadata=place, rules=list(rules), opts=child)
        kubernetes.rbac.v1.RoleBinding(
            name,
            metadata=place,
            role_ref={
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": role.metadata["name"],
            },
            subjects=[
                {
                    "kind": "ServiceAccount",
                    "name": account.metadata["name"],
                    "namespace": namespace,
                }
            ],
            opts=child,
        )
        # No label selects the API server, and each cloud has it at another address.
        for port in API_PORTS:
            egress(
                f"{name}-api-{port}",
                namespace=namespace,
                from_=labels,
                port=port,
                targets=[{"ipBlock": {"cidr": "0.0.0.0/0", "except": [METADATA_SERVICE]}}],
                opts=child,
            )
        self.account = account.metadata["name"]
        self.register_outputs({"account": self.account})
