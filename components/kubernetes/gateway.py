"""The only door to the models: TLS, an allow-list of paths, and nothing else.

vLLM's key guards its `/v1` alone: `/tokenize`, `/pause`, `/invocations` and `/metrics` stay open
(docs.vllm.ai, security, 2026), so callers from outside never reach the server itself.
"""

from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Entrance
from components.kubernetes.certificate import Certificate
from components.kubernetes.examiner import EXAMINER
from components.kubernetes.examiner import PORT as EXAMINER_PORT
from components.kubernetes.images import GATEWAY as IMAGE
from components.kubernetes.pods import container, pod
from components.kubernetes.space import egress, ingress

GATEWAY = {"app.kubernetes.io/name": "gateway"}
PORT = 8443
HEALTH_PORT = 8080
DRAIN_SECONDS = 150
"""Longer than the longest answer of the model server that may still be on its way."""


class Gateway(pulumi.ComponentResource):
    """Two proxies that hand the model server what it is safe to hand it."""

    base_url: pulumi.Output[str]
    """Where callers from outside find the model; ends in `/v1`."""
    service: pulumi.Output[str]
    """Name of the Service, in the same namespace."""
    certificate_authority: pulumi.Output[str]
    """PEM. What callers trust; no public authority vouches for the address."""

    def __init__(
        self,
        name: str,
        *,
        entrance: Entrance,
        namespace: pulumi.Output[str],
        upstream: pulumi.Output[str],
        upstream_labels: dict[str, str],
        upstream_port: int,
        examiner: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        upstream: Name of the Service that answers, in the same namespace.
        examiner: Name of the Service that judges who answers.
        """
        super().__init__("seamless:kubernetes:Gateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        service = kubernetes.core.v1.Service(
            name,
            metadata={
                "namespace": namespace,
                "annotations": {
                    **entrance.annotations,
                    # The certificate needs the address, and the pods need the certificate: so
                    # the Service is ready when it has the one, before it has the others.
                    **_ready_when_addressed(entrance),
                },
            },
            spec={
                "type": entrance.service_type,
                "selector": GATEWAY,
                # Callers keep their address, and a node without a gateway gets no traffic.
                "externalTrafficPolicy": "Local",
                "ports": [
                    {
                        "name": "https",
                        "port": 443,
                        "targetPort": PORT,
                        **({"nodePort": entrance.node_port} if entrance.node_port else {}),
                    }
                ],
            },
            opts=child,
        )
        self.service = service.metadata["name"]
        address = entrance.address or service.status.apply(_address)
        certificate = Certificate(f"{name}-certificate", address=address, opts=child)
        self.certificate_authority = certificate.authority
        self.base_url = address.apply(lambda host: f"https://{host}/v1")
        secret = kubernetes.core.v1.Secret(
            name,
            metadata={"namespace": namespace},
            type="kubernetes.io/tls",
            string_data={"tls.crt": certificate.certificate, "tls.key": certificate.private_key},
            opts=child,
        )
        config_map = kubernetes.core.v1.ConfigMap(
            name,
            metadata={"namespace": namespace},
            data={
                "nginx.conf": pulumi.Output.all(upstream, examiner, namespace).apply(
                    lambda names: configuration(
                        f"{names[0]}.{names[2]}.svc.cluster.local:{upstream_port}",
                        f"{names[1]}.{names[2]}.svc.cluster.local:{EXAMINER_PORT}",
                    )
                )
            },
            # A new name per content, so that a change rolls the pods.
            opts=child,
        )
        health = {"httpGet": {"path": "/", "port": "health"}, "timeoutSeconds": 3}
        proxy = container(
            "proxy",
            IMAGE,
            resources={
                "requests": {"cpu": "100m", "memory": "64Mi"},
                "limits": {"memory": "256Mi", "ephemeral-storage": "1Gi"},
            },
            command=["nginx", "-c", "/etc/gateway/nginx.conf", "-g", "daemon off;"],
            ports=[
                {"name": "https", "containerPort": PORT},
                {"name": "health", "containerPort": HEALTH_PORT},
            ],
            readinessProbe={**health, "periodSeconds": 5},
            livenessProbe={**health, "periodSeconds": 15},
            # `quit` lets nginx finish what it has begun; SIGTERM would cut it off.
            lifecycle={
                "preStop": {"exec": {"command": ["sh", "-c", "sleep 15; nginx -s quit; sleep 120"]}}
            },
            volumeMounts=[
                {"name": "configuration", "mountPath": "/etc/gateway", "readOnly": True},
                {"name": "certificate", "mountPath": "/etc/tls", "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        )
        kubernetes.apps.v1.Deployment(
            name,
            metadata={"namespace": namespace},
            spec={
                "replicas": 2,
                "selector": {"matchLabels": GATEWAY},
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                },
                "template": {
                    "metadata": {"labels": GATEWAY},
                    "spec": pod(
                        IMAGE,
                        containers=[proxy],
                        volumes=[
                            {
                                "name": "configuration",
                                "configMap": {"name": config_map.metadata["name"]},
                            },
                            {
                                "name": "certificate",
                                "secret": {
                                    "secretName": secret.metadata["name"],
                                    "defaultMode": 0o440,
                                },
                            },
                            {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
                        ],
                        terminationGracePeriodSeconds=DRAIN_SECONDS,
                        topologySpreadConstraints=[
                            {
                                "maxSkew": 1,
                                "topologyKey": "kubernetes.io/hostname",
                                "whenUnsatisfiable": "ScheduleAnyway",
                                "labelSelector": {"matchLabels": GATEWAY},
                            }
                        ],
                    ),
                },
            },
            opts=child,
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            name,
            metadata={"namespace": namespace},
            spec={"maxUnavailable": 1, "selector": {"matchLabels": GATEWAY}},
            opts=child,
        )
        ingress(
            f"{name}-callers",
            namespace=namespace,
            to=GATEWAY,
            port=PORT,
            sources=[{"ipBlock": {"cidr": cidr}} for cidr in entrance.sources],
            opts=child,
        )
        for what, labels, port in (
            ("models", upstream_labels, upstream_port),
            ("examiner", EXAMINER, EXAMINER_PORT),
        ):
            egress(
                f"{name}-{what}",
                namespace=namespace,
                from_=GATEWAY,
                port=port,
                targets=[{"podSelector": {"matchLabels": labels}}],
                opts=child,
            )
        self.register_outputs(
            {"base_url": self.base_url, "certificate_authority": self.certificate_authority}
        )


def configuration(model: str, examiner: str) -> str:
    """What nginx is told; the arguments are host and port of each."""
    told = (Path(__file__).parent / "gateway.conf").read_text()
    return told.replace("MODEL", model).replace("EXAMINER", examiner)


def _ready_when_addressed(entrance: Entrance) -> dict[str, str]:
    if entrance.address is not None:
        return {"pulumi.com/skipAwait": "true"}
    return {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"}


def _address(status: object) -> str:
    """The balancer's IP or host name, once the cloud gave it one."""
    first = status.load_balancer.ingress[0]  # type: ignore[attr-defined]
    return str(first.ip or first.hostname)
