"""The AWS regions where the split variant can run."""

from catalog.regions import offering

DEFAULT = "us-east-1"

REGIONS = frozenset(offering("aws", "lambda-arm64"))


def zones(region: str) -> tuple[str, str]:
    """Two availability zones of a region, known without asking AWS."""
    return f"{region}a", f"{region}b"
