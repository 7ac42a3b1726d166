"""The inference mode `cluster`: a model on GPU nodes of one's own, as the contract `Inference`."""

from collections.abc import Sequence

import pulumi

from components.contracts import Cluster, Functions, Inference
from components.generated_secret import GeneratedSecret
from components.kubernetes.addons import AddOns
from components.kubernetes.base.namespace import IsolatedNamespace
from components.kubernetes.monitoring.monitoring import Monitoring
from components.kubernetes.monitoring.replica_monitor import REPLICA_MONITOR, ReplicaMonitor
from components.kubernetes.scheduling.autoscaling import Autoscaling, QueueMetrics
from components.kubernetes.scheduling.gpu_sharing import Sharing
from components.kubernetes.scheduling.headroom import Headroom
from components.kubernetes.scheduling.notebooks import Notebooks
from components.kubernetes.serving import router
from components.kubernetes.serving.gateway import GATEWAY, Gateway
from components.kubernetes.serving.model_server import LEADER, PORT, SERVING, ModelServer
from components.kubernetes.serving.model_spec import DEFAULT_OPTIONS, ClusterOptions, ModelSpec
from components.kubernetes.serving.smoke_test import SmokeTest
from components.kubernetes.serving.weights import Weights
from functions.inference.endpoint import InferenceMode


class ClusterInference(pulumi.ComponentResource):
    """A model server behind a gateway, with monitoring and autoscaling.

    Creates the API key, AddOns, an IsolatedNamespace, Weights, a ModelServer, a ReplicaMonitor,
    Monitoring, a Gateway and a SmokeTest; a Router for several replicas; by option Headroom and
    Notebooks; and Autoscaling by `enable_autoscaling`.
    """

    name: str = "cluster"
    inference_mode: InferenceMode = "cluster"
    url: pulumi.Output[str]
    model: pulumi.Output[str]
    api_key: pulumi.Output[str]
    ca: pulumi.Output[str]
    replicas_url: pulumi.Output[str]
    context_tokens: int
    order: int = 0

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        sharing: Sharing,
        model_spec: ModelSpec,
        sizing: str,
        options: ClusterOptions = DEFAULT_OPTIONS,
        hugging_face_token: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: sizing: The arithmetic behind the choice of machines, shown in the plan."""
        super().__init__("seamless:kubernetes:ClusterInference", name, {"sizing": sizing}, opts)
        child = pulumi.ResourceOptions(parent=self, providers=[cluster.provider])
        key = GeneratedSecret(f"{name}-key", opts=pulumi.ResourceOptions(parent=self))
        self._add_ons = AddOns(
            f"{name}-add-ons",
            cluster=cluster,
            sharing=sharing,
            groups=model_spec.nodes > 1,
            existing_prometheus=options.prometheus or None,
            opts=child,
        )
        self._after_add_ons = pulumi.ResourceOptions.merge(
            child, pulumi.ResourceOptions(depends_on=self._add_ons.ready)
        )
        self._namespace = IsolatedNamespace(name, opts=child).namespace
        self._model_spec = model_spec
        weights = Weights(
            f"{name}-weights",
            cluster=cluster,
            model_spec=model_spec,
            namespace=self._namespace,
            hugging_face_token=hugging_face_token,
            opts=child,
        )
        routed = model_spec.maximum > 1
        self._server = ModelServer(
            f"{name}-server",
            cluster=cluster,
            model_spec=model_spec,
            namespace=self._namespace,
            weights=weights,
            api_key=key.value,
            callers=[router.ROUTER if routed else GATEWAY, REPLICA_MONITOR],
            opts=self._after_add_ons,
        )
        replica_monitor = ReplicaMonitor(
            f"{name}-replica-monitor",
            namespace=self._namespace,
            model=model_spec.model,
            replicas=LEADER,
            replica_port=PORT,
            key=self._server.key,
            callers=GATEWAY,
            opts=child,
        )
        Monitoring(
            f"{name}-monitoring",
            model_spec=model_spec,
            namespace=self._namespace,
            prometheus_namespace=self._add_ons.monitoring,
            opts=self._after_add_ons,
        )
        self._add_options(name, options, cluster=cluster, sharing=sharing, opts=child)
        upstream, labels, port = self._server.service, LEADER, PORT
        if routed:
            upstream, labels, port = self._router(name, child).service, router.ROUTER, router.PORT
        gateway = Gateway(
            f"{name}-gateway",
            exposure=cluster.exposure,
            namespace=self._namespace,
            upstream=upstream,
            upstream_labels=labels,
            upstream_port=port,
            replica_monitor=replica_monitor.service,
            opts=child,
        )
        self.ca = gateway.certificate_authority
        self.url = SmokeTest(
            f"{name}-smoke-test",
            namespace=self._namespace,
            gateway=gateway.service,
            base_url=gateway.base_url,
            certificate_authority=gateway.certificate_authority,
            model=model_spec.model,
            api_key=key.value,
            after=[self._server, gateway],
            opts=child,
        ).base_url
        self.replicas_url = self.url.apply(lambda url: f"{url.removesuffix('/v1')}/replicas")
        self.model = pulumi.Output.from_input(model_spec.model)
        # Known only after the smoke test, like the URL: functions get both at the same time.
        self.api_key = pulumi.Output.all(key.value, self.url).apply(lambda values: values[0])
        self.context_tokens = model_spec.context_tokens
        self.register_outputs({"url": self.url, "model": self.model})

    def _add_options(
        self,
        name: str,
        options: ClusterOptions,
        *,
        cluster: Cluster,
        sharing: Sharing,
        opts: pulumi.ResourceOptions,
    ) -> None:
        if options.headroom:
            Headroom(
                f"{name}-headroom",
                cluster=cluster,
                model_spec=self._model_spec,
                namespace=self._namespace,
                replicas=options.headroom,
                nodes=options.headroom_nodes,
                opts=opts,
            )
        if options.notebook_people:
            Notebooks(
                f"{name}-notebooks",
                cluster=cluster,
                people=options.notebook_people,
                sharing=None if sharing.several else sharing,
                opts=self._after_add_ons,
            )

    def _router(self, name: str, opts: pulumi.ResourceOptions) -> router.Router:
        return router.Router(
            f"{name}-router",
            namespace=self._namespace,
            servers=SERVING,
            server_port=PORT,
            key=self._server.key,
            callers=GATEWAY,
            opts=opts,
        )

    def enable_autoscaling(self, name: str, queue: QueueMetrics) -> None:
        """Scale the replicas by their load and by the application's queue."""
        Autoscaling(
            name,
            model_spec=self._model_spec,
            server=self._server,
            namespace=self._namespace,
            prometheus_url=self._add_ons.prometheus_url,
            queue=queue,
            opts=self._after_add_ons,
        )


def enable_autoscaling(endpoints: Sequence[Inference], functions: Functions) -> None:
    """Scale every endpoint in a cluster by load and unfinished documents; others need nothing."""
    queue = QueueMetrics(
        url=pulumi.Output.concat(functions.page_url, "metrics"), token=functions.api_token
    )
    for endpoint in endpoints:
        if isinstance(endpoint, ClusterInference):
            endpoint.enable_autoscaling(f"{endpoint.name}-autoscaling", queue)
