"""A ServiceAccount with its Role, RoleBinding and network access to the API server."""

from collections.abc import Sequence

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.base.namespace import METADATA_SERVICE, egress
from components.kubernetes.base.pods import Manifest

API_PORTS = (443, 6443)
"""443 is the Service; behind it DOKS and EKS listen at 443 or 6443."""


class ServiceAccount(pulumi.ComponentResource):
    """An account that may use the API server within its own namespace.

    Creates a ServiceAccount, a Role, a RoleBinding, and a NetworkPolicy for each of the API
    server's ports.
    """

    pod: Manifest
    """Fields of the spec of a pod that uses it."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Output[str],
        labels: dict[str, str],
        rules: Sequence[Manifest],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        labels: Of the pods that use it.
        rules: Of the Role.
        """
        super().__init__("seamless:kubernetes:ServiceAccount", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"namespace": namespace}
        account = kubernetes.core.v1.ServiceAccount(name, metadata=metadata, opts=child)
        account_name = account.metadata["name"]
        role = kubernetes.rbac.v1.Role(name, metadata=metadata, rules=list(rules), opts=child)
        subject = {"kind": "ServiceAccount", "name": account_name, "namespace": namespace}
        kubernetes.rbac.v1.RoleBinding(
            name,
            metadata=metadata,
            role_ref={
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": role.metadata["name"],
            },
            subjects=[subject],
            opts=child,
        )
        # No label selects the API server, and its address differs from cloud to cloud.
        anywhere = {"ipBlock": {"cidr": "0.0.0.0/0", "except": [METADATA_SERVICE]}}
        for port in API_PORTS:
            egress(f"{name}-api-{port}", namespace, labels, port, anywhere, opts=child)
        self.pod = {"serviceAccountName": account_name, "automountServiceAccountToken": True}
        self.register_outputs({})
