"""The rung `cluster`: a model on our own GPU nodes, as the contract `Inference` wants it."""

import pulumi

from components.contracts import Cluster, Rung
from components.generated import GeneratedSecret
from components.kubernetes import router
from components.kubernetes.gateway import GATEWAY, Gateway
from components.kubernetes.model_server import LEADER, PORT, ModelServer
from components.kubernetes.serving import Serving
from components.kubernetes.space import Space
from components.kubernetes.weights import Weights


class ClusterInference(pulumi.ComponentResource):
    """A model server with its weights behind a gateway."""

    name: str = "cluster"
    rung: Rung = "cluster"
    base_url: pulumi.Output[str]
    model: pulumi.Output[str]
    api_key: pulumi.Output[str]
    certificate_authority: pulumi.Output[str]
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
        serving: Serving,
        hugging_face_token: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("seamless:kubernetes:ClusterInference", name, None, opts)
        # Every object below is made through the cluster's own provider.
        inside = pulumi.ResourceOptions(parent=self, providers=[cluster.provider])
        key = GeneratedSecret(f"{name}-key", opts=pulumi.ResourceOptions(parent=self))
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
            callers=router.ROUTER if several else GATEWAY,
            opts=inside,
        )
        upstream, labels, port = server.service, LEADER, PORT
        if several:
            upstream, labels, port = (
                router.Router(
                    f"{name}-router",
                    namespace=space.namespace,
                    servers=LEADER,
                    server_port=PORT,
                    api_key=key.value,
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
            opts=inside,
        )
        self.base_url = gateway.base_url
        self.certificate_authority = gateway.certificate_authority
        self.model = pulumi.Output.from_input(serving.model)
        self.api_key = key.value
        self.context_tokens = serving.context_tokens
        self.register_outputs({"base_url": self.base_url, "model": self.model})
