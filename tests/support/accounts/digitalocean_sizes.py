"""Machine sizes as DigitalOcean's API lists them for a new account.

Fields are the required ones of digitalocean/openapi at 7c1300c (2026-08-07): sizes/models/size.yml
and dedicated_inferences/models. Slugs, prices and regions are those that an account saw on
2026-10-08 (github.com/shyamsfo/bernoulli): a size that is not allotted to the account is
`available` and has no region.
"""

from collections.abc import Collection
from typing import Any

from sizing.machines import MACHINES, machines

Json = dict[str, Any]

CPU_REGIONS = ("ams3", "atl1", "blr1", "fra1", "lon1", "nyc2", "nyc3", "sfo3", "sgp1", "tor1")

ALLOTTED = {
    "s-2vcpu-4gb": CPU_REGIONS,
    "gpu-mi325x1-256gb": ("nyc2", "tor1"),
    "gpu-mi325x8-2048gb": ("nyc2", "tor1"),
}
"""Regions of the sizes that a new account can create."""


def selling(slug: str) -> Collection[str] | None:
    """Regions that sell a size to some account; None for a GPU size of which they are unknown.

    Raises:
        KeyError: there is no such size.
    """
    return CPU_REGIONS if slug == "s-2vcpu-4gb" else MACHINES[slug].regions


def droplet_sizes(more: dict[str, tuple[str, ...]]) -> list[Json]:
    """Rows of GET /v2/sizes.

    Args:
        more: Sizes that DigitalOcean allotted to the account, with their regions.
    """
    slugs = ["s-2vcpu-4gb", *(row.slug for row in machines("digitalocean")), "gpu-mi300x1-192gb"]
    return [
        {
            "slug": slug,
            "memory": 245_760,
            "vcpus": 20,
            "disk": 720,
            "transfer": 15.0,
            "price_monthly": 1.0,
            "price_hourly": 1.0,
            "available": True,
            "regions": list({**ALLOTTED, **more}.get(slug, ())),
            "description": "of a test",
        }
        for slug in slugs
    ]


def dedicated_sizes(more: dict[str, tuple[str, ...]]) -> Json:
    """Response of GET /v2/dedicated-inferences/sizes: a row for each size and region."""
    offered = {"gpu-mi325x1-256gb": ("tor1",), **more}
    return {
        "enabled_regions": ["atl1", "nyc2", "tor1"],
        "sizes": [
            {"gpu_slug": slug, "price_per_hour": "2", "region": region, "currency": "USD"}
            for slug, regions in offered.items()
            for region in regions
        ],
    }


def model_configs(models: dict[str, tuple[str, ...]]) -> Json:
    """Response of GET /v2/dedicated-inferences/gpu-model-config: sizes of each model."""
    return {
        "gpu_model_configs": [
            {
                "gpu_slugs": list(slugs),
                "model_slug": model,
                "model_name": model.rpartition("/")[2],
                "is_gated_model": False,
            }
            for model, slugs in models.items()
        ]
    }
