"""The functions of the integrated variant: api, summarize and sweep in one namespace."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pulumi

from build.bundle import Bundle
from components.contracts import Inference, application_environment
from components.digitalocean.database import Database
from components.digitalocean.functions_api.function import Function
from components.digitalocean.functions_api.invocation_key import InvocationKey
from components.digitalocean.functions_api.namespace import Namespace
from components.digitalocean.functions_api.trigger import Trigger
from components.digitalocean.object_store import Store
from components.generated_secret import GeneratedSecret
from functions.documents.memory import parser_mebibytes
from functions.handlers.digitalocean_limits import MAX_MEGABYTES, MAX_SECONDS, SWEEP_SECONDS
from functions.inference.endpoint import InferenceMode

PACKAGE = "summarizer"

SWEEP = "*/5 * * * *"
"""Every five minutes; each run is billed."""


class Functions(pulumi.ComponentResource):
    """The application on DigitalOcean Functions (see `components.contracts.Functions`).

    Creates:
    - the functions `api`, `summarize` and `sweep`
    - a trigger that runs `sweep` every five minutes
    - an access key by which functions call `summarize`
    - the API token

    `api` serves HTTP and calls `summarize` without waiting. The platform does not repeat a failed
    call, so `sweep` calls `summarize` again for documents that are not done.
    """

    page_url: pulumi.Output[str]
    api_token: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        namespace: Namespace,
        code: Bundle,
        store: Store,
        database: Database,
        inference: Sequence[Inference],
        inference_mode: InferenceMode,
        page_url: str = "",
        log_destinations: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        namespace: An empty namespace; its label is the name of the key that starts workers.
        code: The bundle for Functions.
        page_url: URL of a proxy in front of the page; empty without one.
        log_destinations: Secret. Services that receive the functions' logs
            (`digitalocean.log_destinations`); without it DigitalOcean keeps the logs for three
            days.
        """
        super().__init__("seamless:digitalocean:Functions", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.api_token = GeneratedSecret(f"{name}-token", opts=child).value
        # With the slash at the end, relative links of the page resolve to the function.
        direct = pulumi.Output.concat(
            namespace.api_host, "/api/v1/web/", namespace.id, f"/{PACKAGE}/api/"
        )
        self.page_url = pulumi.Output.from_input(page_url) if page_url else direct
        key = InvocationKey(f"{name}-key", namespace=namespace.id, key=namespace.label, opts=child)
        environment = {
            **application_environment(
                variant="integrated",
                inference_mode=inference_mode,
                api_token=self.api_token,
                # The host serves a region. Behind a proxy the page at the host does not load.
                shared_page_url=self.page_url,
                store=store,
                database=database,
                inference=inference,
            ),
            "DATABASE_CERTIFICATE": database.certificate,
            "PARSER_MEMORY_MEBIBYTES": str(parser_mebibytes(worker=MAX_MEGABYTES)),
            **({"LOG_DESTINATIONS": log_destinations} if log_destinations else {}),
        }
        calling = {
            **environment,
            "SUMMARIZE_URL": pulumi.Output.concat(
                namespace.api_host,
                "/api/v1/namespaces/",
                namespace.id,
                f"/actions/{PACKAGE}/summarize",
            ),
            "SUMMARIZE_KEY": key.value,
        }

        def function(kind: str, **settings: Any) -> Function:
            return Function(
                f"{name}-{kind}",
                namespace=namespace.id,
                package=namespace.package,
                function=kind,
                code_path=code.path,
                code_key=code.key,
                **settings,
                opts=child,
            )

        function("api", web="raw", timeout_ms=30_000, memory_mb=256, environment=calling)
        function(
            "summarize",
            web="no",
            timeout_ms=MAX_SECONDS * 1000,
            memory_mb=MAX_MEGABYTES,
            environment=environment,
        )
        sweep = function(
            "sweep",
            web="no",
            timeout_ms=SWEEP_SECONDS * 1000,
            memory_mb=256,
            environment=calling,
        )
        Trigger(
            f"{name}-every-five-minutes",
            namespace=namespace.id,
            trigger="sweep",
            function=f"{PACKAGE}/sweep",
            cron=SWEEP,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[sweep]),
        )
        store.allow_uploads_from(
            "https://" + urlsplit(page_url).netloc if page_url else namespace.api_host
        )
        self.register_outputs({"page_url": self.page_url, "api_token": self.api_token})
