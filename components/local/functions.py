"""The functions of the local variant: one process that runs all three."""

from collections.abc import Sequence
from pathlib import Path

import pulumi

from components.contracts import Database, Inference, Store, application_environment
from components.generated_secret import GeneratedSecret
from components.local.server import PROJECT, Server
from functions.inference.endpoint import InferenceMode


class Functions(pulumi.ComponentResource):
    """The application on this machine (see `components.contracts.Functions`).

    Creates:
    - a process that serves the page and the API, and that runs `summarize` and `sweep`
    - the API token
    """

    page_url: pulumi.Output[str]
    api_token: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        database: Database,
        inference: Sequence[Inference],
        inference_mode: InferenceMode,
        folder: Path,
        port: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        folder: Folder for the log and the process file.
        port: Port of the page and the API; 0 takes a free port and keeps it.
        """
        super().__init__("seamless:local:Functions", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.api_token = GeneratedSecret(f"{name}-token", opts=child).value
        host = Server(
            f"{name}-host",
            module="functions.handlers.local",
            folder=folder,
            port=port,
            environment=application_environment(
                variant="local",
                inference_mode=inference_mode,
                api_token=self.api_token,
                shared_page_url="",
                store=store,
                database=database,
                inference=inference,
            ),
            code=[PROJECT / "functions", PROJECT / "uv.lock"],
            opts=child,
        )
        self.page_url = host.url.apply(lambda url: f"{url}/")
        self.register_outputs({"page_url": self.page_url, "api_token": self.api_token})
