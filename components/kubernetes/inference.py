"""The rung `cluster`: a model on our own GPU nodes, as the contract `Inference` wants it."""

from collections.abc import Sequence

import pulumi

from components.contracts import Cluster, Functions, Inference, Rung
from components.generated import GeneratedSecret
from components.kubernetes import router
from components.kubernetes.addons import AddOns
from components.kubernetes.canary import Canary
from components.kubernetes.examiner import EXAMINER, Examiner
from components.kubernetes.gateway import GATEWAY, Gateway
from components.kubernetes.headroom import Headroom
from components.kubernetes.model_server import LEADER, PORT, SERVING, ModelServer
from components.kubernetes.notebooks import Notebooks
from components.kubernetes.scaling import Queue, Scaling
from components.kubernetes.serving import NOTHING, Extras, Serving
from components.kubernetes.sharing import Sharing
from components.kubernetes.space import Space
from components.kubernetes.watching import Watching
from components.kubernetes.weights import Weights


class ClusterInference(pulumi.ComponentResource):
    """A model server with its weights behind a gateway, watched, and growing with its work."""

    name: str = "cluster"
    rung: Rung = "cluster"
    base_url: pulumi.Output[str]
    model: pulumi.Output[str]
    api_key: pulumi.Output[str]
    certificate_authority: pulumi.Output[str]
    replicas_url: pulumi.Output[str]
    context_tokens: int
    input_usd_per_million: float | None = None
    """Unknown: a node is paid by the hour, whatever it answers."""
    output_usd_per_million: float | None = None
    weight: int = 1
    order: int = 0

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        sharing: Sharing,
        serving: Serving,
        sizing: str,
        extras: Extras = NOTHING,
        hugging_face_token: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: sizing: The arithmetic behind the choice of machines, for who reads the plan."""
        super().__init__("seamless:kubernetes:ClusterInference", name, {"sizing": sizing}, opts)
        # Every object below is made through the cluster's own provider.
        inside = pulumi.ResourceOptions(parent=self, providers=[cluster.provider])
        key = GeneratedSecret(f"{name}-key", opts=pulumi.ResourceOptions(parent=self))
        self._add_ons = AddOns(
            f"{name}-add-ons",
            cluster=cluster,
            sharing=sharing,
            groups=serving.nodes > 1,
            existing_prometheus=extras.prometheus or None,
            opts=inside,
        )
        equipped = pulumi.ResourceOptions.merge(
            inside, pulumi.ResourceOptions(depends_on=self._add_ons.ready)
        )
        space = Space(name, opts=inside)
        weights = Weights(
            f"{name}-weights",
            cluster=cluster,
            serving=serving,
            namespace=space.namespace,
            hugging_face_token=hugging_face_token,
            opts=inside,
        )
        several = serving.maximum > 1
        server = ModelServer(
            f"{name}-server",
            cluster=cluster,
            serving=serving,
            namespace=space.namespace,
            weights=weights,
            api_key=key.value,
            callers=[router.ROUTER if several else GATEWAY, EXAMINER],
            opts=equipped,
        )
        examiner = Examiner(
            f"{name}-examiner",
            namespace=space.namespace,
            model=serving.model,
            replicas=LEADER,
            replica_port=PORT,
            key=server.key,
            callers=GATEWAY,
            opts=inside,
        )
        Watching(
            f"{name}-watching",
            serving=serving,
            namespace=space.namespace,
            monitoring=self._add_ons.monitoring,
            opts=equipped,
        )
        if extras.headroom:
            Headroom(
                f"{name}-headroom",
                cluster=cluster,
                serving=serving,
                namespace=space.namespace,
                replicas=extras.headroom,
                opts=inside,
            )
        if extras.notebook_people:
            Notebooks(
                f"{name}-notebooks",
                cluster=cluster,
                people=extras.notebook_people,
                sharing=None if sharing.several else sharing,
                opts=equipped,
            )
        upstream, labels, port = server.service, LEADER, PORT
        if several:
            upstream, labels, port = (
                router.Router(
                    f"{name}-router",
                    namespace=space.namespace,
                    servers=SERVING,
                    server_port=PORT,
                    key=server.key,
                    callers=GATEWAY,
                    opts=inside,
                ).service,
                router.ROUTER,
                router.PORT,
            )
        gateway = Gateway(
            f"{name}-gateway",
            entrance=cluster.entrance,
            namespace=space.namespace,
            upstream=upstream,
            upstream_labels=labels,
            upstream_port=port,
            examiner=examiner.service,
            opts=inside,
        )
        self.base_url = Canary(
            f"{name}-canary",
            namespace=space.namespace,
            gateway=gateway.service,
            base_url=gateway.base_url,
            certificate_authority=gateway.certificate_authority,
            model=serving.model,
            api_key=key.value,
            after=[server, gateway],
            opts=inside,
        ).base_url
        self.replicas_url = self.base_url.apply(lambda url: f"{url.removesuffix('/v1')}/replicas")
        self.certificate_authority = gateway.certificate_authority
        self.model = pulumi.Output.from_input(serving.model)
        # A key of an endpoint that does not answer yet would be handed to functions beside it.
        self.api_key = pulumi.Output.all(key.value, self.base_url).apply(lambda told: told[0])
        self.context_tokens = serving.context_tokens
        self._serving, self._server, self._space = serving, server, space
        self._equipped = equipped
        self.register_outputs({"base_url": self.base_url, "model": self.model})

    def enable_autoscaling(self, name: str, queue: Queue) -> None:
        """Scale the replicas by their load and by the length of the application's queue."""
        Scaling(
            name,
            serving=self._serving,
            server=self._server,
            namespace=self._space.namespace,
            prometheus_url=self._add_ons.prometheus_url,
            queue=queue,
            opts=self._equipped,
        )


def enable_autoscaling(endpoints: Sequence[Inference], functions: Functions) -> None:
    """Scale every endpoint in a cluster by the application's queue; others need nothing."""
    queue = Queue(
        url=pulumi.Output.concat(functions.page_url, "metrics"), token=functions.api_token
    )
    for endpoint in endpoints:
        if isinstance(endpoint, ClusterInference):
            endpoint.enable_autoscaling(f"{endpoint.name}-scaling", queue)
