"""The functions of the local arrangement: one process that hosts all three."""

from collections.abc import Sequence
from pathlib import Path

import pulumi

from components.contracts import Database, Inference, Store, application_environment
from components.generated import GeneratedSecret
from components.local.server import PROJECT, Server
from functions.endpoint import Rung


class Functions(pulumi.ComponentResource):
    """The application on this machine (see `components.contracts.Functions`)."""

    page_url: pulumi.Output[str]
    api_token: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        database: Database,
        inference: Sequence[Inference],
        rung: Rung,
        folder: Path,
        port: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        folder: Where the process's log and process file lie.
        port: Of the page and the API; 0 takes any free port and keeps it.
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
                arrangement="local",
                rung=rung,
                api_token=self.api_token,
                store=store,
                database=database,
                inference=inference,
            ),
            code=[PROJECT / "functions", PROJECT / "uv.lock"],
            opts=child,
        )
        self.page_url = host.url.apply(lambda url: f"{url}/")
        self.register_outputs({"page_url": self.page_url, "api_token": self.api_token})
