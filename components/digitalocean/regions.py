"""Where DigitalOcean offers what the application needs."""

from catalog.regions import offering

DEFAULT = "tor1"
"""The only region with both Functions and Dedicated Inference: no inference mode needs a move."""

FUNCTIONS = offering("digitalocean", "functions")
"""Regions of Functions namespaces."""

_NEEDS = {
    "Functions": FUNCTIONS,
    "Spaces": offering("digitalocean", "spaces"),
    "Managed PostgreSQL": offering("digitalocean", "postgresql"),
}
"""What every inference mode has in the stack's region, with its regions. No list of VPC regions was
found."""

OFFERED = tuple(
    region for region in FUNCTIONS if all(region in regions for regions in _NEEDS.values())
)
"""Regions with everything that the stack needs."""


def rule(region: str) -> str:
    """What the region lacks, as the beginning of a sentence that ends with `OFFERED`."""
    missing = [service for service, regions in _NEEDS.items() if region not in regions]
    return (
        f"{region} has no {' and no '.join(missing)}. DigitalOcean offers {', '.join(_NEEDS)} "
        "together only in"
    )
