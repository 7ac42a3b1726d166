"""Several replicas behind one address: each prompt goes where its beginning was computed before.

The router of vLLM's production stack; its arguments are those of
`src/vllm_router/parsers/parser.py` at 008a23b (2026).
"""

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.account import Account
from components.kubernetes.images import ROUTER as IMAGE
from components.kubernetes.pods import container, from_secret, pod, variables
from components.kubernetes.space import egress, ingress

ROUTER = {"app.kubernetes.io/name": "router"}
PORT = 8001
DRAIN_SECONDS = 150
"""Longer than the longest answer of the model server that may still be on its way."""


class Router(pulumi.ComponentResource):
    """Two routers that watch which pods serve and remember which prefix each has cached."""

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
        servers: Labels of the pods that answer.
        key: Name of the Secret with whose `key` the router asks them what they serve.
        callers: Labels of the pods that may ask it.
        """
        super().__init__("seamless:kubernetes:Router", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        account = Account(
            name,
            namespace=namespace,
            labels=ROUTER,
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
            opts=child,
        )
        health = {"httpGet": {"path": "/health", "port": "http"}, "timeoutSeconds": 3}
        router = container(
            "router",
            IMAGE,
            resources={
                "requests": {"cpu": "250m", "memory": "512Mi"},
                "limits": {"memory": "2Gi", "ephemeral-storage": "1Gi"},
            },
            args=[
                f"--port={PORT}",
                "--service-discovery=k8s",
                "--k8s-service-discovery-type=pod-ip",
                pulumi.Output.concat("--k8s-namespace=", namespace),
                "--k8s-label-selector=" + ",".join(f"{k}={v}" for k, v in servers.items()),
                f"--k8s-port={server_port}",
                "--routing-logic=prefixaware",
            ],
            env=variables({"VLLM_API_KEY": from_secret(key, "key"), "HOME": "/tmp"}),
            ports=[{"name": "http", "containerPort": PORT}],
            readinessProbe={**health, "periodSeconds": 5},
            livenessProbe={**health, "periodSeconds": 15, "failureThreshold": 4},
            lifecycle={"preStop": {"sleep": {"seconds": 15}}},
            volumeMounts=[{"name": "tmp", "mountPath": "/tmp"}],
        )
        kubernetes.apps.v1.Deployment(
            name,
            metadata={"namespace": namespace},
            spec={
                "replicas": 2,
                "selector": {"matchLabels": ROUTER},
                "template": {
                    "metadata": {"labels": ROUTER},
                    "spec": pod(
                        IMAGE,
                        containers=[router],
                        volumes=[{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
                        serviceAccountName=account.account,
                        automountServiceAccountToken=True,
                        terminationGracePeriodSeconds=DRAIN_SECONDS,
                    ),
                },
            },
            opts=child,
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            name,
            metadata={"namespace": namespace},
            spec={"maxUnavailable": 1, "selector": {"matchLabels": ROUTER}},
            opts=child,
        )
        service = kubernetes.core.v1.Service(
            name,
            metadata={"namespace": namespace, "labels": ROUTER},
            spec={"selector": ROUTER, "ports": [{"name": "http", "port": PORT}]},
            opts=child,
        )
        self.service = service.metadata["name"]
        ingress(
            f"{name}-callers",
            namespace=namespace,
            to=ROUTER,
            port=PORT,
            sources=[{"podSelector": {"matchLabels": callers}}],
            opts=child,
        )
        egress(
            f"{name}-models",
            namespace=namespace,
            from_=ROUTER,
            port=server_port,
            targets=[{"podSelector": {"matchLabels": servers}}],
            opts=child,
        )
        self.register_outputs({"service": self.service})
