"""The only way from outside to the models: TLS, and an allow-list of paths.

vLLM checks its key under `/v1` alone, not for `/tokenize`, `/pause`, `/invocations` and `/metrics`
(docs.vllm.ai, security, 2026), so callers from outside never reach the server itself.
"""

from pathlib import Path

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import ServiceExposure
from components.kubernetes.base import pods
from components.kubernetes.base.images import GATEWAY as IMAGE
from components.kubernetes.base.namespace import egress, ingress, pods_with
from components.kubernetes.base.pods import Manifest
from components.kubernetes.monitoring.replica_monitor import PORT as MONITOR_PORT
from components.kubernetes.monitoring.replica_monitor import REPLICA_MONITOR
from components.kubernetes.serving.certificate import Certificate

GATEWAY = {"app.kubernetes.io/name": "gateway"}
PORT = 8443
HEALTH_PORT = 8080
DRAIN_SECONDS = 150
"""Longer than the model server drains: its last answers pass through here."""


class Gateway(pulumi.ComponentResource):
    """Two reverse proxies that pass safe requests to the model server.

    Creates a Service for callers from outside, a Certificate, a Secret and a ConfigMap for nginx,
    its Deployment and PodDisruptionBudget, and NetworkPolicies.
    """

    base_url: pulumi.Output[str]
    """URL of the model for callers from outside; ends in `/v1`."""
    service: pulumi.Output[str]
    """Name of the Service, in the same namespace."""
    certificate_authority: pulumi.Output[str]
    """PEM of the private authority that signed the gateway's certificate."""

    def __init__(
        self,
        name: str,
        *,
        exposure: ServiceExposure,
        namespace: pulumi.Output[str],
        upstream: pulumi.Output[str],
        upstream_labels: dict[str, str],
        upstream_port: int,
        replica_monitor: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        upstream: Name of the Service of the model or its router, in the same namespace.
        replica_monitor: Name of its Service, in the same namespace.
        """
        super().__init__("seamless:kubernetes:Gateway", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"namespace": namespace}
        service = kubernetes.core.v1.Service(
            name,
            metadata={**metadata, "annotations": {**exposure.annotations, **_await(exposure)}},
            spec=_service(exposure),
            opts=child,
        )
        self.service = service.metadata["name"]
        address = exposure.address or service.status.apply(_address)
        self.base_url = address.apply(lambda host: f"https://{host}/v1")
        certificate = Certificate(f"{name}-certificate", address=address, opts=child)
        self.certificate_authority = certificate.authority
        secret = kubernetes.core.v1.Secret(
            name,
            metadata=metadata,
            type="kubernetes.io/tls",
            string_data={"tls.crt": certificate.certificate, "tls.key": certificate.private_key},
            opts=child,
        )
        config_map = kubernetes.core.v1.ConfigMap(
            name,
            metadata=metadata,
            data={
                "nginx.conf": pulumi.Output.all(upstream, replica_monitor, namespace).apply(
                    lambda names: configuration(
                        f"{names[0]}.{names[2]}.svc.cluster.local:{upstream_port}",
                        f"{names[1]}.{names[2]}.svc.cluster.local:{MONITOR_PORT}",
                    )
                )
            },
            # A new name per content, so that a change rolls the pods.
            opts=child,
        )
        kubernetes.apps.v1.Deployment(
            name,
            metadata=metadata,
            spec=pods.deployment(
                GATEWAY,
                _pod(config_map.metadata["name"], secret.metadata["name"]),
                replicas=2,
                strategy={
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                },
            ),
            opts=child,
        )
        kubernetes.policy.v1.PodDisruptionBudget(
            name, metadata=metadata, spec=pods.one_unavailable(GATEWAY), opts=child
        )
        callers = [{"ipBlock": {"cidr": cidr}} for cidr in exposure.sources]
        ingress(f"{name}-callers", namespace, GATEWAY, PORT, *callers, opts=child)
        for target, labels, port in (
            ("models", upstream_labels, upstream_port),
            ("replica-monitor", REPLICA_MONITOR, MONITOR_PORT),
        ):
            egress(f"{name}-{target}", namespace, GATEWAY, port, pods_with(labels), opts=child)
        self.register_outputs(
            {"base_url": self.base_url, "certificate_authority": self.certificate_authority}
        )


def configuration(model: str, replica_monitor: str) -> str:
    """The configuration of nginx.

    Args:
        model: Host and port.
        replica_monitor: Host and port.
    """
    text = (Path(__file__).parent / "gateway.conf").read_text()
    return text.replace("REPLICA_MONITOR", replica_monitor).replace("MODEL", model)


def _service(exposure: ServiceExposure) -> Manifest:
    port = {"name": "https", "port": 443, "targetPort": PORT}
    if exposure.node_port:
        port["nodePort"] = exposure.node_port
    return {
        "type": exposure.service_type,
        "selector": GATEWAY,
        # Preserves the callers' addresses; a node without a gateway pod gets no traffic.
        "externalTrafficPolicy": "Local",
        "ports": [port],
    }


def _await(exposure: ServiceExposure) -> dict[str, str]:
    """Annotations by which Pulumi takes the Service for ready before it has pods.

    The pods need the certificate, and the certificate needs the Service's address.
    """
    if exposure.address is not None:
        return {"pulumi.com/skipAwait": "true"}
    return {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"}


def _pod(config_map: pulumi.Output[str], secret: pulumi.Output[str]) -> Manifest:
    # `quit` lets nginx finish open requests; SIGTERM would break them off.
    drain = ["sh", "-c", "sleep 15; nginx -s quit; sleep 120"]
    return pods.pod(
        "proxy",
        IMAGE,
        resources=pods.resources("100m", "64Mi", memory_limit="256Mi", disk_limit="1Gi"),
        command=["nginx", "-c", "/etc/gateway/nginx.conf", "-g", "daemon off;"],
        ports=[
            {"name": "https", "containerPort": PORT},
            {"name": "health", "containerPort": HEALTH_PORT},
        ],
        readinessProbe=pods.probe("/", port="health", periodSeconds=5),
        livenessProbe=pods.probe("/", port="health", periodSeconds=15),
        lifecycle={"preStop": {"exec": {"command": drain}}},
        volumes={
            "/etc/gateway": {"name": "configuration", "configMap": {"name": config_map}},
            "/etc/tls": pods.secret_volume("certificate", secret),
            "/tmp": pods.scratch("tmp", "1Gi"),
        },
        spec={
            "terminationGracePeriodSeconds": DRAIN_SECONDS,
            "topologySpreadConstraints": pods.spread(GATEWAY, "kubernetes.io/hostname"),
        },
    )


def _address(status: object) -> str:
    """IP or host name of the balancer, once the cloud has assigned one."""
    first = status.load_balancer.ingress[0]  # type: ignore[attr-defined]
    return str(first.ip or first.hostname)
