"""Regions where a cloud offers a service that a variant needs."""

from catalog import Row, Table


class Offer(Row, frozen=True, kw_only=True):
    """One service of one cloud."""

    cloud: str
    service: str
    regions: tuple[str, ...]


OFFERS = Table("regions", Offer, "cloud", "service")


def offering(cloud: str, service: str) -> tuple[str, ...]:
    """The regions of a cloud that offer the service, in the order of the catalogue."""
    return OFFERS[f"{cloud} {service}"].regions
