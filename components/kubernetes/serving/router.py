"""One address for several replicas: a prompt goes to the replica that has its beginning cached.

The router of vLLM's production stack; its arguments are those of
`src/vllm_router/parsers/parser.py` at 008a23b (2026).
"""

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.base import pods
from components.kubernetes.base.images import ROUTER as IMAGE
from components.kubernetes.base.namespace import egress, ingress, pods_with
from components.kubernetes.base.pods import Manifest
from components.kubernetes.base.service_account import ServiceAccount

ROUTER = {"app.kubernetes.io/name": "router"}
PORT = 8001
DRAIN_SECONDS = 150
"""Longer than the model server drains: its last answers pass through here."""


class Router(pulumi.ComponentResource):
    """Two routers that watch which pods serve and remember which prefixes each has cached.

    Creates a ServiceAccount that may watch pods, a Deployment, a PodDisruptionBudget, a Service and
    NetworkPolicies.
    """

    service: pulumi.Output[str]
    """Name of the Service, in the same namespace."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Output[str],
        servers: dict[str, str],
        server_port: int,
        key: pulumi.Output[str],
        callers: dict[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        servers: Labels of the pods that serve.
        key: Name of the Secret whose `key` the router uses to list their models.
        callers: Labels of the pods that may use the router.
        """
        super().__init__("seamless:kubernetes:Router", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"namespace": namespace}
        account = ServiceAccount(
            name,
            namespace=namespace,
            labels=ROUTER,
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
            opts=child,
        )
        arguments: list[pulumi.Input[str]] = [
            f"--port={PORT}",
            "--service-discovery=k8s",
            "--k8s-service-discovery-type=pod-ip",
            pulumi.Output.concat("--k8s-namespace=", namespace),
            f"--k8s-label-selector={pods.selector(servers)}",
            f"--k8s-port={server_port}",
            "--routing-logic=prefixaware",
        ]
        kubernetes.apps.v1.Deployment(
            name,
            metadata=metadata,
            spec=pods.deployment(ROUTER, _pod(arguments, key, account.pod), replicas=2),
            opts=child,
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            name, metadata=metadata, spec=pods.one_unavailable(ROUTER), opts=child
        )
        self.service = kubernetes.core.v1.Service(
            name,
            metadata={**metadata, "labels": ROUTER},
            spec=pods.service(ROUTER, PORT),
            opts=child,
        ).metadata["name"]
        ingress(f"{name}-callers", namespace, ROUTER, PORT, pods_with(callers), opts=child)
        egress(f"{name}-models", namespace, ROUTER, server_port, pods_with(servers), opts=child)
        self.register_outputs({"service": self.service})


def _pod(
    arguments: list[pulumi.Input[str]], key: pulumi.Output[str], account: Manifest
) -> Manifest:
    return pods.pod(
        "router",
        IMAGE,
        resources=pods.resources("250m", "512Mi", memory_limit="2Gi", disk_limit="1Gi"),
        args=arguments,
        env={"VLLM_API_KEY": pods.from_secret(key, "key"), "HOME": "/tmp"},
        ports=[{"name": "http", "containerPort": PORT}],
        readinessProbe=pods.probe("/health", periodSeconds=5),
        livenessProbe=pods.probe("/health", periodSeconds=15, failureThreshold=4),
        lifecycle={"preStop": {"sleep": {"seconds": 15}}},
        volumes={"/tmp": pods.scratch("tmp", "1Gi")},
        spec={**account, "terminationGracePeriodSeconds": DRAIN_SECONDS},
    )
