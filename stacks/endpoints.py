"""The inference endpoints of a stack, in order of preference."""

import msgspec
import pulumi
from msgspec.structs import asdict, replace

from catalog.providers import PROVIDERS
from components.contracts import ExternalInference, Inference
from stacks.config import PROVIDER, StackConfig
from stacks.errors import ConfigError, ModeNotOfferedError

LAST = 1000
"""Order of the fallback."""

OWN_CONTEXT_TOKENS = 8192
"""Context of an endpoint at `inference_url`, unless the config has it."""


def provider(config: StackConfig) -> str:
    """The inference provider; empty at `inference_url`, and where the variant uses none."""
    if config.inference_url:
        return ""
    return config.inference_provider or PROVIDER.get(config.variant, "")


def configured_endpoint(config: StackConfig) -> ExternalInference | None:
    """The endpoint at `inference_url`, else the provider's, else None.

    None, too, where it has no key and is not called: the mode runs a model of its own and there is
    no fallback.

    Raises:
        ConfigError: its model or its key is not set.
    """
    row = PROVIDERS.get(provider(config))
    url = config.inference_url
    if row:
        url = row.base_url.format(region=config.region or "us-east-1")
    elif not url:
        return None
    model = config.inference_model or (row.model if row else "")
    if not model:
        rule = "inference_url needs the name of a model"
        raise ConfigError("inference_model", "not set", rule, PROVIDERS["digitalocean"].model)
    if config.inference_api_key is None:
        dedicated = (config.inference_mode, config.variant) == ("dedicated", "integrated")
        if (config.inference_mode == "cluster" or dedicated) and config.fallback == "none":
            return None
        raise ConfigError("inference_api_key", "not set", f"{url} needs a key", "", secret=True)
    found = ExternalInference(
        name="serverless",
        url=url,
        model=model,
        successor=config.inference_successor or None,
        api_key=config.inference_api_key,
        context_tokens=config.inference_context_tokens
        or (row.context_tokens if row else OWN_CONTEXT_TOKENS),
        input_usd_per_million=config.inference_input_usd_per_million,
        output_usd_per_million=config.inference_output_usd_per_million,
    )
    if row and model == row.model:  # the catalogue's facts are those of its model
        if found.successor is None and row.successor_model:
            found = replace(found, successor=row.successor_model)
        if found.input_usd_per_million is None:
            found = replace(found, input_usd_per_million=row.input_usd_per_million)
        if found.output_usd_per_million is None:
            found = replace(found, output_usd_per_million=row.output_usd_per_million)
    return found


def as_primary(config: StackConfig) -> ExternalInference | None:
    """The configured endpoint with the name of the inference mode."""
    found = configured_endpoint(config)
    mode = config.inference_mode
    return None if found is None else replace(found, name=mode, inference_mode=mode)


def in_order(
    config: StackConfig, primary: Inference | None, *, fallback: Inference | None = None
) -> list[Inference]:
    """All endpoints of the stack, in order of preference.

    Args:
        primary: That of the inference mode; None if none is configured.
        fallback: The variant's serverless one, if it is not `primary`.

    Raises:
        ConfigError: there is no endpoint of the mode, or no fallback though the config has one.
    """
    if primary is None:
        rule = f"{config.variant} has no {config.inference_mode} endpoint of its own"
        raise ModeNotOfferedError(
            "inference_url", "not set", rule, "https://inference.do-ai.run/v1"
        )
    found = [primary, *_additional(config)]
    if config.falls_back:
        if fallback is None:
            rule = f"there is no serverless endpoint beside the {config.inference_mode} one"
            raise ModeNotOfferedError("fallback", "'serverless'", rule, "none")
        if isinstance(fallback, ExternalInference):
            fallback = replace(fallback, order=LAST)
        found.append(fallback)
    return sorted(found, key=lambda endpoint: endpoint.order)


def _additional(config: StackConfig) -> list[ExternalInference]:
    """The endpoints of `inference_endpoints` with their keys, which `read` has checked."""
    keys = config.inference_endpoint_keys
    if keys is None:
        return []

    def key(name: str) -> pulumi.Output[str]:
        return keys.apply(lambda text: str(msgspec.json.decode(text)[name]))

    return [
        ExternalInference(**asdict(endpoint), api_key=key(endpoint.name))
        for endpoint in config.inference_endpoints
    ]
