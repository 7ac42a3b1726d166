"""Breaches that are known and allowed for a time, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """One breach that only advises, until a day.

    Attributes:
        policy: Id of the rule.
        resource: Pattern of logical names: `database-*`.
        reason: Why the rule cannot be met.
        expires: The first day on which it is a violation again.
    """

    policy: str
    resource: str
    reason: str
    expires: date


WAIVERS: tuple[Waiver, ...] = (
    Waiver(
        policy="DO-DB-02",
        resource="database-cluster",
        reason="DigitalOcean Functions have no VPC and no fixed address, so a firewall that lets "
        "them in lets everybody in; TLS verify-full and a role of its own stand in its place.",
        expires=date(2027, 6, 1),
    ),
)


def find(
    policy: str, resource: str, today: date, waivers: Sequence[Waiver] = WAIVERS
) -> Waiver | None:
    """The waiver that is in force for a breach."""
    for waiver in waivers:
        if (
            waiver.policy == policy
            and fnmatchcase(resource, waiver.resource)
            and today < waiver.expires
        ):
            return waiver
    return None
