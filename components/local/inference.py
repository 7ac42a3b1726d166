"""The inference of the local variant: a server without weights for each inference mode."""

from pathlib import Path

import pulumi

from components.generated_secret import GeneratedSecret
from components.local.server import PROJECT, Server
from functions.inference.endpoint import InferenceMode

MODEL = "extractive"


class LocalInference(pulumi.ComponentResource):
    """An OpenAI-compatible server that selects sentences (see `components.contracts.Inference`).

    Creates:
    - a server process
    - its API key

    It runs no language model, and its model name says so. Its tokens cost nothing.
    """

    name: InferenceMode
    inference_mode: InferenceMode
    url: pulumi.Output[str]
    model: pulumi.Output[str]
    api_key: pulumi.Output[str]
    context_tokens: int = 8192
    input_usd_per_million: float | None = 0.0
    output_usd_per_million: float | None = 0.0

    def __init__(
        self,
        name: InferenceMode,
        *,
        folder: Path,
        order: int = 0,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        name: The inference mode that it replaces.
        folder: Folder for the log and the process file.
        order: Requests go to endpoints of a lower order first.
        """
        super().__init__("seamless:local:LocalInference", name, None, opts)
        self.name = self.inference_mode = name
        self.order = order
        child = pulumi.ResourceOptions(parent=self)
        self.api_key = GeneratedSecret(f"{name}-key", opts=child).value
        server = Server(
            f"{name}-server",
            module="components.local.model_server",
            folder=folder,
            environment={
                "MODEL_SERVER_API_KEY": self.api_key,
                "MODEL_SERVER_MODEL": MODEL,
                "MODEL_SERVER_CONTEXT_TOKENS": str(self.context_tokens),
            },
            code=[PROJECT / "components" / "local" / "model_server"],
            opts=child,
        )
        self.url = server.url.apply(lambda url: f"{url}/v1")
        self.model = pulumi.Output.from_input(MODEL)
        self.register_outputs({"url": self.url, "model": self.model})
