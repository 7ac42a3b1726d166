"""Checks whether a DigitalOcean account can create the planned machines in their regions.

GET /v2/sizes lists sizes of all accounts, with the regions of this one: `available` is true and
`regions` is empty until DigitalOcean allots a GPU size to the account (asked 2026-10-08,
github.com/shyamsfo/bernoulli). Paths and bodies: digitalocean/openapi at 7c1300c (2026-08-07).
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from catalog.regions import offering
from components.digitalocean.regions import OFFERED
from preflight.checks import Finding, StackContext
from sizing.machines import MACHINES, Machine, gpu, machines

_CLUSTER = "digitalocean:index/kubernetesCluster:KubernetesCluster"
_POOL = "digitalocean:index/kubernetesNodePool:KubernetesNodePool"
_DEDICATED = "digitalocean:index/dedicatedInference:DedicatedInference"
_SIZES = "/v2/sizes"
_DEDICATED_SIZES = "/v2/dedicated-inferences/sizes"
_MODELS = "/v2/dedicated-inferences/gpu-model-config"
_SUPPORT = "ask DigitalOcean to allot it to the account: cloudsupport.digitalocean.com"


class UnknownError(Exception):
    """The account did not answer; the text says why.

    Attributes:
        status: Of an answer that is an error; 0 without one.
    """

    def __init__(self, why: str, *, status: int = 0) -> None:
        super().__init__(why)
        self.status = status


def check(api: httpx.Client, context: StackContext) -> Iterator[Finding]:
    """Check the machines of a cluster's pools and of Dedicated Inference, if they are new."""
    yield from _pools(api, context)
    for resource in context.resources:
        if resource.type == _DEDICATED:
            yield from _dedicated(api, context, resource.urn, resource.inputs)


def _pools(api: httpx.Client, context: StackContext) -> Iterator[Finding]:
    """Check the sizes of the nodes in the cluster's region."""
    clusters = [resource for resource in context.resources if resource.type == _CLUSTER]
    planned = [(r.urn, "cluster_region", r.inputs["nodePool"]["size"]) for r in clusters]
    planned += [(r.urn, "gpu_type", r.inputs["size"]) for r in context.resources if r.type == _POOL]
    new = [
        (key, slug) for urn, key, slug in planned if slug not in str(context.existing.get(urn, ""))
    ]
    if not clusters or not new:
        return
    region = clusters[0].inputs["region"]
    try:
        rows = rows_of(api, _SIZES, "sizes")
    except UnknownError as error:
        yield Finding(name="gpu_type", ok=None, found=f"unknown whether {region} has it: {error}")
        return
    regions = {
        row["slug"]: tuple(row.get("regions") or ()) if row.get("available") else ()
        for row in rows
        if row.get("slug")
    }
    allowed = offering("digitalocean", "gpu-cluster")
    for key, slug in new:
        yield context.for_up(_sold(context, key, slug, region, regions, "cluster_region", allowed))


def _dedicated(
    api: httpx.Client, context: StackContext, urn: str, inputs: Mapping[str, Any]
) -> Iterator[Finding]:
    """Check the region, the size and the model of a Dedicated Inference endpoint."""
    region, (deployment,) = inputs["region"], inputs["modelDeployments"]
    slug, model = deployment["accelerators"][0]["acceleratorSlug"], deployment["modelSlug"]
    if slug in str(context.existing.get(urn, "")):
        return
    try:
        regions: dict[str, tuple[str, ...]] = {}
        for row in rows_of(api, _DEDICATED_SIZES, "sizes"):
            # The specification has `region`; the vendor's client godo (in doctl 168188d) `regions`.
            found = row.get("regions") or [row.get("region")]
            regions[row["gpu_slug"]] = (*regions.get(row["gpu_slug"], ()), *filter(None, found))
        allowed = [r for r in offering("digitalocean", "dedicated-inference") if r in OFFERED]
        yield context.for_up(_sold(context, "gpu_type", slug, region, regions, "region", allowed))
        configs = rows_of(api, _MODELS, "gpu_model_configs")
    except UnknownError as error:
        yield Finding(name="gpu_type", ok=None, found=f"unknown whether {region} has it: {error}")
        return
    yield context.for_up(_runs(context, slug, model, configs))


def _sold(
    context: StackContext,
    key: str,
    slug: str,
    region: str,
    regions: Mapping[str, Collection[str]],
    region_key: str,
    allowed: Collection[str],
) -> Finding:
    """Whether the account can create a size in a region; else where, and what instead.

    Args:
        key: Config key that determines the size.
        regions: Regions of each size, as the account sees them.
        region_key: Config key of the region.
        allowed: Valid values of `region_key`.
    """
    if region in regions.get(slug, ()):
        return Finding(name=key, ok=True, found=f"the account can create {slug} in {region}")
    where = ", ".join(sorted(regions.get(slug, ())))
    found = f"{key} gives {slug} in {region}, but "
    if slug not in regions:
        found += "DigitalOcean does not list this size for it"
    else:
        found += f"the account can create it {f'only in {where}' if where else 'in no region'}"
    remedies = [
        context.set_line(region_key, other) for other in allowed if other in regions.get(slug, ())
    ]
    there = [other for other, found_in in regions.items() if region in found_in]
    remedies += [context.set_line("gpu_type", other.slug) for other in _replacing(slug, there)][:1]
    steps = "".join(f"{remedy}, or " for remedy in remedies)
    return Finding(name=key, ok=False, found=found, remedy=f"{steps}{_SUPPORT}")


def _replacing(slug: str, others: Collection[str]) -> list[Machine]:
    """Machines with at least the GPUs and the memory of one: NVIDIA first, then the cheapest."""
    planned = MACHINES.get(slug)
    if planned is None:
        return []
    return sorted(
        (
            row
            for row in machines(planned.platform)
            if row.slug in others
            and row.count >= planned.count
            and gpu(row.gpu).memory_mib >= gpu(planned.gpu).memory_mib
        ),
        key=lambda row: (gpu(row.gpu).vendor != "nvidia", row.usd_hour or float("inf")),
    )


def _runs(
    context: StackContext, slug: str, model: str, configs: Collection[Mapping[str, Any]]
) -> Finding:
    """Whether Dedicated Inference runs the model on the size; unknown for a model not listed."""
    named = [c for c in configs if model in (c.get("model_slug"), c.get("model_name"))]
    slugs = sorted({slug for config in named for slug in config.get("gpu_slugs") or ()})
    if not named:
        found = f"unknown whether {slug} runs {model}: GET {_MODELS} does not list the model"
        return Finding(name="gpu_model", ok=None, found=found)
    if slug in slugs:
        return Finding(name="gpu_model", ok=True, found=f"{slug} runs {model}")
    return Finding(
        name="gpu_model",
        ok=False,
        found=f"gpu_type gives {slug}, but Dedicated Inference runs {model} only on "
        f"{', '.join(slugs) or 'no size'}",
        remedy=context.set_line("gpu_type", slugs[0])
        if slugs
        else context.set_line("inference_mode", "cluster"),
    )


def rows_of(api: httpx.Client, path: str, key: str) -> list[Mapping[str, Any]]:
    """The rows of a list, all pages.

    Raises:
        UnknownError: no or no valid response.
    """
    rows: list[Mapping[str, Any]] = []
    query = "per_page=200"
    while query:
        try:
            answer = api.get(f"{path}?{query}")
            body = answer.raise_for_status().json()
            rows += body.get(key) or []
            pages = (body.get("links") or {}).get("pages") or {}
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise UnknownError(f"GET {path} answered {status}", status=status) from None
        except httpx.HTTPError as error:
            raise UnknownError(f"GET {path} got no response ({type(error).__name__})") from None
        except (ValueError, AttributeError):
            raise UnknownError(f"GET {path} answered no JSON object") from None
        query = urlsplit(str(pages.get("next") or "")).query
    return rows
