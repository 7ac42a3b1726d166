"""Models of a plan that retire soon, or have retired, by the provider table of the catalogue."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from catalog.providers import PROVIDERS, Provider, retiring
from stacks.config import PROVIDER


@dataclass(frozen=True, kw_only=True)
class Retirement:
    """A model that an endpoint of the plan requests.

    Attributes:
        retires_on: ISO date.
        retired: True from that date on.
        successor: Model that the provider names in its place; empty if none is known.
        source: Origin of the date.
        remedy: The command that chooses another model.
    """

    model: str
    provider: str
    retires_on: str
    retired: bool
    successor: str
    source: str
    remedy: str

    @property
    def text(self) -> str:
        """Model, provider, date, successor and source."""
        verb = "retired" if self.retired else "retires"
        successor = f"; its successor is {self.successor}" if self.successor else ""
        what = f"{self.model} at {self.provider} {verb} on {self.retires_on}"
        return f"{what}{successor} ({self.source})"


def retirements(
    stack: str, config: Mapping[str, str], outputs: Mapping[str, Any], *, today: date
) -> list[Retirement]:
    """The retirements of a stack's endpoints, within 30 days or past.

    Args:
        config: Config values by short key.
        outputs: Outputs of the plan.
    """
    found = [
        _retirement(row, _remedy(row, where, stack, config), today)
        for url, model, where in _endpoints(config, outputs)
        if (row := retiring(url, model, today=today))
    ]
    return list(dict.fromkeys(found))


def _endpoints(
    config: Mapping[str, str], outputs: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """URL, model and, for an additional endpoint, config path of each endpoint."""
    yield str(outputs.get("inference_url")), str(outputs.get("inference_model")), ""
    if config.get("fallback") == "serverless":
        default = next((name for v, name in PROVIDER.items() if v == config.get("variant")), "")
        if row := PROVIDERS.get(config.get("inference_provider") or default):
            region = config.get("region") or "us-east-1"
            yield row.base_url.format(region=region), config.get("inference_model") or row.model, ""
    for place, endpoint in enumerate(json.loads(config.get("inference_endpoints") or "[]")):
        path = f"inference_endpoints[{place}].model"
        yield str(endpoint.get("url")), str(endpoint.get("model")), path


def _remedy(row: Provider, path: str, stack: str, config: Mapping[str, str]) -> str:
    if path:
        return f"pulumi config set --path '{path}' {row.successor_model or 'MODEL'} --stack {stack}"
    if row.successor_model or config.get("inference_url") or config.get("inference_model"):
        model = row.successor_model or "MODEL"
        return f"pulumi config set inference_model {model} --stack {stack}"
    others = [*PROVIDER.values(), *PROVIDERS]
    other = next(name for name in others if not PROVIDERS[name].retires_on)
    return (
        f"pulumi config set inference_provider {other} --stack {stack} && "
        f"pulumi config set --secret inference_api_key --stack {stack}"
    )


def _retirement(row: Provider, remedy: str, today: date) -> Retirement:
    day = row.retires_on
    assert day is not None  # noqa: S101  # `retiring` returns no other row
    return Retirement(
        model=row.model,
        provider=row.name,
        retires_on=day.isoformat(),
        retired=today >= day,
        successor=row.successor_model,
        source=row.retirement_source or row.origin,
        remedy=remedy,
    )
