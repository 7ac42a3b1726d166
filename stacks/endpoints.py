"""The config of inference endpoints beside the rung's own: `inference_endpoints` and their keys."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import urlsplit

import pulumi
from pulumi.runtime.config import is_config_secret

from components.contracts import ExternalInference, Rung
from stacks.errors import SettingsError

LAST = 1000
"""The order of the fallback: after every endpoint that a person ordered."""

_LIST, _KEYS = "inference_endpoints", "inference_endpoint_keys"


@dataclass(frozen=True, kw_only=True)
class _Field:
    """One field of an entry: how its text is read, and what to say when it cannot be."""

    read: Callable[[str], Any]
    rule: str
    example: str
    optional: bool = False


def is_base_url(url: str) -> bool:
    """True for the URL of an endpoint as every client of the dialect takes it."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and url.endswith("/v1")


BASE_URL = "it must be an http or https URL that ends in /v1"


def _matching(is_right: Callable[[str], object]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not is_right(text):
            raise ValueError
        return text

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return read


def _price(text: str) -> float:
    if not 0 <= float(text) < 100_000:
        raise ValueError
    return float(text)


_DOLLARS = _Field(
    read=_price,
    rule="it must be a price in US dollars, 0 or more",
    example="0.15",
    optional=True,
)
_FIELDS = {
    "name": _Field(
        read=_matching(re.compile("[a-z0-9-]+").fullmatch),
        rule="it must be a name of a-z, 0-9 and -",
        example="spare",
    ),
    "url": _Field(
        read=_matching(is_base_url), rule=BASE_URL, example="https://inference.do-ai.run/v1"
    ),
    "model": _Field(
        read=_matching(bool), rule="the endpoint needs the model to ask for", example="MODEL"
    ),
    "context_tokens": _Field(
        read=_whole(4096, 10_000_000),
        rule="it must be a whole number from 4096 to 10000000",
        example="8192",
    ),
    "rung": _Field(
        read=_matching(get_args(Rung).__contains__),
        rule=f"it must be one of {', '.join(get_args(Rung))}",
        example="serverless",
        optional=True,
    ),
    "input_usd_per_million": _DOLLARS,
    "output_usd_per_million": _DOLLARS,
    "weight": _Field(
        read=_whole(0, 100),
        rule="it must be a whole number from 0 to 100",
        example="1",
        optional=True,
    ),
    "order": _Field(
        read=_whole(0, LAST - 1),
        rule=f"it must be a whole number from 0 to {LAST - 1}",
        example="1",
        optional=True,
    ),
}


def read_endpoints(config: pulumi.Config) -> list[ExternalInference]:
    """The endpoints that a person added, by order; one without an order follows the rung's own.

    Raises:
        SettingsError: for the first value that breaks its rule.
    """
    rows: list[Mapping[str, object]] = config.get_object(_LIST) or []
    endpoints: list[ExternalInference] = []
    for place, row in enumerate(rows):
        values = _read(place, row)
        name = values["name"]
        if name in get_args(Rung) or name in [known.name for known in endpoints]:
            rule = f"a name is unique, and {', '.join(get_args(Rung))} are the rungs' own"
            raise _refused(place, "name", repr(name), rule, "spare")
        endpoints.append(
            ExternalInference(
                name=name,
                rung=values.get("rung", "serverless"),
                url=values["url"],
                model=pulumi.Output.from_input(values["model"]),
                api_key=_key(config, name),
                context_tokens=values["context_tokens"],
                input_usd_per_million=values.get("input_usd_per_million"),
                output_usd_per_million=values.get("output_usd_per_million"),
                weight=values.get("weight", 1),
                order=values.get("order", place + 1),
            )
        )
    return sorted(endpoints, key=lambda endpoint: endpoint.order)


def _read(place: int, row: Mapping[str, object]) -> dict[str, Any]:
    for unknown in row.keys() - _FIELDS.keys():
        rule = f"an endpoint has only {', '.join(_FIELDS)}"
        raise _refused(place, unknown, repr(row[unknown]), rule, "...")
    values = {}
    for name, field in _FIELDS.items():
        text = str(row.get(name, "")).strip()
        if text or not field.optional:
            try:
                values[name] = field.read(text)
            except ValueError:
                shown = repr(text) if text else "not set"
                raise _refused(place, name, shown, field.rule, field.example) from None
    return values


def _key(config: pulumi.Config, name: str) -> pulumi.Output[str]:
    """The endpoint's key, of which only the shape is looked at here."""
    path = f"{_KEYS}.{name}"
    keys: Mapping[str, object] = config.get_object(_KEYS) or {}
    if not keys.get(name):
        rule = f"the endpoint {name!r} needs a key"
        raise SettingsError(path, "not set", rule, "", secret=True, path=True)
    if not is_config_secret(config.full_key(_KEYS)):
        rule = "a key must be encrypted"
        raise SettingsError(path, "in plain text", rule, "", secret=True, path=True)
    return config.require_secret_object(_KEYS).apply(lambda known: str(known[name]))


def _refused(place: int, field: str, value: str, rule: str, example: str) -> SettingsError:
    return SettingsError(f"{_LIST}[{place}].{field}", value, rule, example, path=True)
