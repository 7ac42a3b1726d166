"""The tables of docs/reference/catalogue.md, made from the catalogue."""

import json
from collections.abc import Iterable, Iterator

from analysis.prices import HOURS, PRICES
from catalog import Row
from catalog.providers import PROVIDERS
from catalog.regions import OFFERS
from components.kubernetes.base.charts import CHARTS
from components.kubernetes.base.images import IMAGES
from sizing.machines import GPUS, MACHINES
from sizing.models import MODELS
from tools.workspace import ROOT

Rows = Iterator[list[str]]

PRICE_HEAD = ("variant", "resource", "size", "part", "USD a month", "billed by", "source, date")
PROVIDER_HEAD = ("provider", "model", "context", "USD in", "USD out", "source, date")
MODEL_HEAD = ("model", "weights", "format", "GiB", "context", "gated", "licence", "source, date")
GPU_HEAD = ("GPU", "product", "generation", "GiB", "FP8", "MXFP4", "watts", "source, date")
MACHINE_HEAD = ("machine", "cloud", "GPUs", "vCPU", "GiB", "USD/h", "sold", "source, date")
CHART_HEAD = ("chart", "version", "repository", "source, date")
IMAGE_HEAD = ("image", "version", "digest", "source, date")
REGION_HEAD = ("cloud", "service", "regions", "source, date")
RECORDING_HEAD = ("recorded run", "value")


_VARIANTS = {
    "digitalocean:": "integrated",
    "pulumi-python:dynamic/digitalocean:": "integrated",
    "aws:": "split",
    "kubernetes:": "both",
}
"""By the beginning of a resource's type."""


def prices() -> Rows:
    """What is billed by the hour or the month, by variant."""
    for prefix, variant in _VARIANTS.items():
        for row in PRICES.values():
            if row.type.startswith(prefix) and row.per in ("hour", "month"):
                month = None if row.usd is None else row.usd * (HOURS if row.per == "hour" else 1)
                yield [
                    variant,
                    f"`{row.type}`",
                    f"`{row.size}`" if row.size else "any",
                    f"{row.part} ({row.region})" if row.region else row.part,
                    _number(month, 2),
                    row.per,
                    _source(row),
                ]


def providers() -> Rows:
    """Providers with their prices per million tokens."""
    for row in PROVIDERS.values():
        yield [
            row.name,
            f"`{row.model}`",
            f"{row.context_tokens:,}",
            _number(row.input_usd_per_million, 2),
            _number(row.output_usd_per_million, 2),
            _source(row),
        ]


def models() -> Rows:
    """Models that right-sizing knows."""
    for row in MODELS.values():
        yield [
            f"`{row.name}`",
            f"`{row.hugging_face}`",
            row.format,
            f"{row.weights_bytes / 2**30:.1f}" + ("" if row.weights_published else " (computed)"),
            f"{row.context_tokens:,}",
            _yes(row.gated),
            row.licence,
            _source(row),
        ]


def gpus() -> Rows:
    """GPUs with what the choice of a machine depends on."""
    for row in GPUS.values():
        yield [
            f"`{row.name}`",
            row.product,
            row.generation,
            f"{row.memory_gib:.1f}",
            _yes(row.fp8),
            _yes(row.mxfp4),
            str(row.board_watts or "unknown"),
            _source(row),
        ]


def machines() -> Rows:
    """Machines with GPUs, with the price of an hour."""
    for row in MACHINES.values():
        yield [
            f"`{row.slug}`",
            row.platform,
            f"{row.count} x {row.gpu}",
            str(row.vcpus),
            str(row.memory_gib),
            _number(row.usd_hour, 2),
            row.purchase,
            _source(row),
        ]


def charts() -> Rows:
    """Helm charts with their versions."""
    for row in CHARTS.values():
        yield [row.name, row.version, row.repository, _source(row)]


def images() -> Rows:
    """Container images with the digests that run."""
    for row in IMAGES.values():
        yield [f"`{row.repository}`", row.version, f"`{row.digest}`", _source(row)]


def regions() -> Rows:
    """Where each cloud offers what."""
    for row in OFFERS.values():
        yield [row.cloud, row.service, _list(row.regions), _source(row)]


def recording() -> Rows:
    """The recorded run of the AWS provider."""
    run = json.loads((ROOT / "tests" / "permissions" / "run.json").read_text())
    yield ["date", run["seen"]]
    for name, version in run["versions"].items():
        yield [f"version of {name}", version]
    for phase, calls in run["number_of_calls"].items():
        yield [f"calls, {phase}", str(calls)]
    for word in ("operations", "actions", "types"):
        yield [word, str(run[word])]


def _number(value: float | None, digits: int) -> str:
    return "unknown" if value is None else f"{value:.{digits}f}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _list(values: Iterable[str]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _source(row: Row) -> str:
    retires = f"; retires on {row.retires_on}" if row.retires_on else ""
    return (row.origin or "unknown") + retires
