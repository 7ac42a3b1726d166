"""The stack's settings: the only reader of `pulumi.Config`, and the only place with their rules."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import pulumi
from pulumi.runtime.config import is_config_secret

from components.contracts import ExternalInference, Inference, Rung
from components.log_destinations import EXAMPLE, SERVICES, problem
from components.providers import PROVIDERS, Provider
from stacks import names
from stacks.endpoints import BASE_URL, LAST, is_base_url, read_endpoints
from stacks.errors import SettingsError, StackNameError
from stacks.gpu import GpuSettings, read_gpu
from stacks.values import boolean, choice, integer, price, text

__all__ = ["PROJECT", "Settings", "SettingsError"]

Arrangement = Literal["integrated", "split", "local"]
Environment = Literal["dev", "prod"]
Fallback = Literal["none", "serverless"]

_PROVIDER: dict[Arrangement, str] = {
    "integrated": "digitalocean",
    "split": "fireworks",
    "local": "",
}
"""The inference provider of an arrangement that has none of its own."""

_OWN_ENDPOINT = Provider(
    base_url="",
    model="",
    context_tokens=8192,
    input_usd_per_million=None,
    output_usd_per_million=None,
    source="",
    seen=None,
)
"""What is known of an endpoint that nobody described."""

MONTHLY_BUDGET_USD = 200
"""What nobody has decided on."""

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a person decides about a stack; `Pulumi.yaml` says what each value means."""

    stack: str
    arrangement: Arrangement
    environment: Environment
    """Chooses sizes, standbys, and how long things are kept."""
    protect: bool
    """True when data must not be deleted by mistake; it chooses nothing else."""
    inference: Rung
    external_inference: ExternalInference | None
    more_inference: list[ExternalInference]
    """Endpoints beside the rung's own."""
    fallback: Fallback
    """What answers when the rung's own endpoint cannot."""
    gpu: GpuSettings
    """Of the rungs that run a model of our own."""
    region: str
    """Of the cloud; empty takes the arrangement's default."""
    bucket_name: str
    """Empty is one that is made up and that nobody has."""
    network_cidr: str
    """Empty takes the arrangement's default."""
    network_peers: tuple[str, ...]
    """Ranges that the network must not overlap."""
    monthly_budget_usd: int
    """A budget alarm is raised above it."""
    alert_email: str
    """Who hears of alarms; empty is nobody."""
    data_folder: Path
    page_port: int
    inference_provider: str
    """Whose URL of our table is taken; empty where there is none."""
    inference_model: str
    """Empty takes the provider's."""
    log_destinations: pulumi.Output[str] | None
    """Secret. Where functions send their logs to, as JSON; None is nowhere but their own place."""

    def region_among(self, offered: Collection[str], default: str, rule: str) -> str:
        """The region, or the arrangement's own.

        Args:
            rule: What holds of the regions that are offered; they are named after it.

        Raises:
            SettingsError: it is none of them.
        """
        region = self.region or default
        if region not in offered:
            raise SettingsError("region", repr(region), f"{rule} {', '.join(offered)}", default)
        return region

    @property
    def production(self) -> bool:
        """True when people depend on it."""
        return self.environment == "prod"

    @property
    def own_inference(self) -> ExternalInference | None:
        """The external endpoint in the place of the rung's own, whichever rung that is."""
        if self.external_inference is None:
            return None
        return replace(self.external_inference, name=self.inference, rung=self.inference)

    @property
    def falls_back(self) -> bool:
        """True when a serverless endpoint answers for the rung's own."""
        return self.fallback == "serverless" and self.inference != "serverless"

    def endpoints(
        self, own: Inference | None, *, fallback: Inference | None = None
    ) -> list[Inference]:
        """All endpoints of the stack, in order of preference.

        Args:
            own: The rung's own; None where nobody set it up.
            fallback: The arrangement's serverless one, where that is another than `own`.

        Raises:
            SettingsError: a fallback is asked for, and there is none; or nobody answers at all.
        """
        if own is None:
            rule = "the arrangement has no endpoint of its own there"
            raise SettingsError("inference_url", "not set", rule, "https://HOST/v1")
        found = [own, *self.more_inference]
        if self.falls_back:
            if fallback is None:
                rule = f"there is no serverless endpoint beside the {self.inference} one"
                raise SettingsError("fallback", "'serverless'", rule, "none")
            if isinstance(fallback, ExternalInference):
                fallback = replace(fallback, order=LAST)
            found.append(fallback)
        return sorted(found, key=lambda endpoint: endpoint.order)

    @classmethod
    def read(cls, config: pulumi.Config) -> "Settings":
        """Read and check every value.

        Raises:
            SettingsError: for the first value that breaks its rule.
        """
        stack = pulumi.get_stack()
        if rule := names.broken_by_stack(stack):
            raise StackNameError(stack, rule)
        arrangement = choice(config, "arrangement", get_args(Arrangement), "local")
        rung = choice(config, "inference", get_args(Rung), "serverless")
        fallback = choice(config, "fallback", get_args(Fallback), "none")
        runs_own_model = rung == "cluster" or (rung, arrangement) == ("dedicated", "integrated")
        environment = choice(config, "environment", get_args(Environment), "dev")
        folder = text(config, "data_folder") or f".seamless/stacks/{stack}"
        return cls(
            stack=stack,
            arrangement=arrangement,
            environment=environment,
            protect=boolean(config, "protect", default=environment == "prod"),
            inference=rung,
            external_inference=_external_inference(
                config, _PROVIDER[arrangement], may_lack=runs_own_model and fallback == "none"
            ),
            more_inference=read_endpoints(config),
            fallback=fallback,
            gpu=read_gpu(config),
            region=text(config, "region"),
            bucket_name=_bucket_name(config),
            network_cidr=text(config, "network_cidr"),
            network_peers=tuple(text(config, "network_peers").replace(",", " ").split()),
            monthly_budget_usd=integer(
                config, "monthly_budget_usd", 1, 1_000_000, default=MONTHLY_BUDGET_USD
            ),
            alert_email=text(config, "alert_email"),
            data_folder=(PROJECT / Path(folder).expanduser()).resolve(),
            page_port=integer(config, "page_port", 0, 65_535, default=0),
            inference_provider=""
            if text(config, "inference_url")
            else text(config, "inference_provider") or _PROVIDER[arrangement],
            inference_model=text(config, "inference_model"),
            log_destinations=_log_destinations(config),
        )


def _external_inference(
    config: pulumi.Config, default: str, *, may_lack: bool
) -> ExternalInference | None:
    """The endpoint at `inference_url`, else that of a provider in our table, else None.

    Args:
        may_lack: Nobody asks it, so that it needs no key.
    """
    url, name = text(config, "inference_url"), text(config, "inference_provider") or default
    if url:
        row = _OWN_ENDPOINT
    elif name in PROVIDERS:
        row = PROVIDERS[name]
        url = row.base_url.format(region=text(config, "region") or "us-east-1")
    elif name:
        raise SettingsError(
            "inference_provider", repr(name), f"it must be one of {', '.join(PROVIDERS)}", default
        )
    else:
        return None
    if not is_base_url(url):
        raise SettingsError("inference_url", repr(url), BASE_URL, "https://inference.do-ai.run/v1")
    model = text(config, "inference_model") or row.model
    if not model:
        raise SettingsError(
            "inference_model", "not set", "inference_url needs the model to ask for", "MODEL"
        )
    if not text(config, "inference_api_key"):
        if may_lack:
            return None
        raise SettingsError("inference_api_key", "not set", f"{url} needs a key", "", secret=True)
    if not is_config_secret(config.full_key("inference_api_key")):
        raise SettingsError(
            "inference_api_key", "in plain text", "a key must be encrypted", "", secret=True
        )
    # The table's prices are for its model only.
    priced = row if model == row.model else _OWN_ENDPOINT
    return ExternalInference(
        name="serverless",
        rung="serverless",
        url=url,
        model=pulumi.Output.from_input(model),
        api_key=config.require_secret("inference_api_key"),
        context_tokens=integer(
            config, "inference_context_tokens", 4096, 10_000_000, default=row.context_tokens
        ),
        input_usd_per_million=price(
            config, "inference_input_usd_per_million", priced.input_usd_per_million
        ),
        output_usd_per_million=price(
            config, "inference_output_usd_per_million", priced.output_usd_per_million
        ),
    )


def _log_destinations(config: pulumi.Config) -> pulumi.Output[str] | None:
    key = "log_destinations"
    given = text(config, key)
    if not given:
        return None
    if not is_config_secret(config.full_key(key)):
        rule = "the tokens in it must be encrypted"
        raise SettingsError(key, "in plain text", rule, EXAMPLE, secret=True)
    if wrong := problem(given):
        rule = f"it must be a JSON list of destinations: {', '.join(SERVICES)}"
        raise SettingsError(key, wrong, rule, EXAMPLE, secret=True)
    return config.require_secret(key)


def _bucket_name(config: pulumi.Config) -> str:
    name = text(config, "bucket_name")
    if name and (rule := names.broken_by_bucket(name)):
        raise SettingsError("bucket_name", repr(name), rule, names.FREE_BUCKET)
    return name
