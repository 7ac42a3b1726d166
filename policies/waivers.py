"""Known violations that are allowed until a date, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A violation that is advisory until a date.

    Attributes:
        policy: Id of the rule.
        resource: Pattern of logical names: `database-*`.
        reason: Why the resource cannot comply.
        expires: First day on which the waiver no longer applies.
    """

    policy: str
    resource: str
    reason: str
    expires: date


WAIVERS: tuple[Waiver, ...] = (
    Waiver(
        policy="DO-DB-02",
        resource="database-cluster",
        reason="DigitalOcean Functions have no VPC and no fixed address, so a firewall that admits "
        "them admits every address. TLS verify-full and a dedicated role replace it.",
        expires=date(2027, 6, 1),
    ),
)


def find(
    policy: str, resource: str, today: date, waivers: Sequence[Waiver] = WAIVERS
) -> Waiver | None:
    """The waiver that applies to a violation, or None."""
    for waiver in waivers:
        if (
            waiver.policy == policy
            and fnmatchcase(resource, waiver.resource)
            and today < waiver.expires
        ):
            return waiver
    return None
