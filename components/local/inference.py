"""The inference of the local arrangement: a stand-in that needs no weights, one server per rung."""

from pathlib import Path

import pulumi

from components.generated import GeneratedSecret
from components.local.server import PROJECT, Server
from functions.endpoint import Rung

MODEL = "extractive-standin"


class StandIn(pulumi.ComponentResource):
    """An OpenAI-dialect server that picks sentences (see `components.contracts.Inference`).

    It is honest about being no language model: its model name says so. Its tokens cost nothing.
    """

    name: Rung
    rung: Rung
    url: pulumi.Output[str]
    model: pulumi.Output[str]
    api_key: pulumi.Output[str]
    context_tokens: int = 8192
    input_usd_per_million: float | None = 0.0
    output_usd_per_million: float | None = 0.0

    def __init__(
        self,
        name: Rung,
        *,
        folder: Path,
        order: int = 0,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        name: The rung that it stands in for.
        folder: Where the server's log and process file lie.
        order: Endpoints of a lower order are asked first.
        """
        super().__init__("seamless:local:StandIn", name, None, opts)
        self.name = self.rung = name
        self.order = order
        child = pulumi.ResourceOptions(parent=self)
        self.api_key = GeneratedSecret(f"{name}-key", opts=child).value
        server = Server(
            f"{name}-server",
            module="components.local.standin",
            folder=folder,
            environment={
                "STANDIN_API_KEY": self.api_key,
                "STANDIN_MODEL": MODEL,
                "STANDIN_CONTEXT_TOKENS": str(self.context_tokens),
            },
            code=[PROJECT / "components" / "local" / "standin"],
            opts=child,
        )
        self.url = server.url.apply(lambda url: f"{url}/v1")
        self.model = pulumi.Output.from_input(MODEL)
        self.register_outputs({"url": self.url, "model": self.model})
