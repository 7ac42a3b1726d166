"""The functions of the integrated arrangement: api, summarize and sweep in one namespace."""

from collections.abc import Sequence

import pulumi

from components.bundle import Bundle
from components.contracts import Inference, application_environment
from components.digitalocean.database import Database
from components.digitalocean.function import Function
from components.digitalocean.invocation_key import InvocationKey
from components.digitalocean.namespace import Namespace
from components.digitalocean.store import Store
from components.digitalocean.trigger import Trigger
from components.generated import GeneratedSecret
from functions.endpoint import Rung

PACKAGE = "summarizer"

SWEEP = "*/5 * * * *"
"""Every five minutes: it is the net, and each run is billed."""


class Functions(pulumi.ComponentResource):
    """The application at DigitalOcean Functions (see `components.contracts.Functions`).

    The api answers HTTP itself and calls `summarize` without waiting. Nobody tries such a call
    again, so the sweep, every five minutes, calls for what is still due.
    """

    page_url: pulumi.Output[str]
    api_token: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        label: str,
        region: str,
        code: Bundle,
        store: Store,
        database: Database,
        inference: Sequence[Inference],
        rung: Rung,
        log_destinations: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        label: Of the namespace, unique in the account.
        region: One of `regions.FUNCTIONS`.
        code: The zip of all three.
        log_destinations: Secret. Who takes the functions' logs (`components.log_destinations`);
            without it they stay at DigitalOcean, for three days.
        """
        super().__init__("seamless:digitalocean:Functions", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.api_token = GeneratedSecret(f"{name}-token", opts=child).value
        namespace = Namespace(
            f"{name}-namespace", label=label, region=region, package=PACKAGE, opts=child
        )
        key = InvocationKey(f"{name}-key", namespace=namespace.id, key=label, opts=child)
        environment = {
            **application_environment(
                arrangement="integrated",
                rung=rung,
                api_token=self.api_token,
                store=store,
                database=database,
                inference=inference,
            ),
            "DATABASE_CERTIFICATE": database.certificate,
            **({"LOG_DESTINATIONS": log_destinations} if log_destinations else {}),
        }
        may_invoke = {
            **environment,
            "SUMMARIZE_URL": pulumi.Output.concat(
                namespace.api_host,
                "/api/v1/namespaces/",
                namespace.id,
                f"/actions/{PACKAGE}/summarize",
            ),
            "SUMMARIZE_KEY": key.value,
        }

        Function(
            f"{name}-api",
            namespace=namespace.id,
            package=namespace.package,
            function="api",
            code_path=code.path,
            code_key=code.key,
            web="raw",
            timeout_ms=30_000,
            memory_mb=256,
            environment=may_invoke,
            opts=child,
        )
        Function(
            f"{name}-summarize",
            namespace=namespace.id,
            package=namespace.package,
            function="summarize",
            code_path=code.path,
            code_key=code.key,
            web="no",
            # One attempt has 600 seconds, and parsers need room beside the application.
            timeout_ms=900_000,
            memory_mb=1024,
            environment=environment,
            opts=child,
        )
        sweep = Function(
            f"{name}-sweep",
            namespace=namespace.id,
            package=namespace.package,
            function="sweep",
            code_path=code.path,
            code_key=code.key,
            web="no",
            timeout_ms=240_000,
            memory_mb=256,
            environment=may_invoke,
            opts=child,
        )
        Trigger(
            f"{name}-every-five-minutes",
            namespace=namespace.id,
            trigger="sweep",
            function=f"{PACKAGE}/sweep",
            cron=SWEEP,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[sweep]),
        )
        store.accept_uploads_from(namespace.api_host)
        # The slash at the end makes the page's own links relative to the function.
        self.page_url = pulumi.Output.concat(
            namespace.api_host, "/api/v1/web/", namespace.id, f"/{PACKAGE}/api/"
        )
        self.register_outputs({"page_url": self.page_url, "api_token": self.api_token})
