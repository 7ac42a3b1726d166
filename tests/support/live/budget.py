"""The budget guard: what a live run may cost at most, said before anything is deployed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analysis.cost import Charge, charges
from policies.resource import Resource, name_of

DESTROYING_HOURS = 1.0
"""Counted on top of the limit: AWS takes its time to let go of a network."""


class OverBudgetError(Exception):
    """A run that would or might cost more than it may; the message has the arithmetic."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run costs at most, by what is known.

    A price of a month counts as a whole one, since nobody here knows which of them are prorated.
    What is paid by use is named and not counted.
    """

    charges: tuple[Charge, ...]
    hours: float

    @property
    def usd_hour(self) -> float:
        """Sum of what is paid by the hour."""
        return self._sum("hour")

    @property
    def usd_month(self) -> float:
        """Sum of what is paid by the month."""
        return self._sum("month")

    def _sum(self, per: str) -> float:
        return sum(c.count * (c.usd or 0.0) for c in self.charges if c.per == per)

    @property
    def usd(self) -> float:
        """The most that the known prices come to."""
        return self.usd_hour * self.hours + self.usd_month

    @property
    def unknown(self) -> list[Charge]:
        """What may cost something that the table does not know."""
        return [charge for charge in self.charges if charge.unknown]

    def lines(self) -> Iterator[str]:
        """The arithmetic, for a person."""
        for c in sorted(self.charges, key=lambda charge: (charge.per, charge.type)):
            if c.usd:
                source = c.source or "no source"
                yield f"{c.count} x ${c.usd:.4f} per {c.per}: {c.type}, {c.part} ({source})"
        for charge in self.unknown:
            yield f"unknown: {name_of(charge.resource)}, {charge.type}"
        used = {c.type for c in self.charges if c.per == "use"}
        if used:
            yield f"by use, not counted: {', '.join(sorted(used))}"
        yield (
            f"at most ${self.usd_hour:.4f} per hour x {self.hours:g} h + ${self.usd_month:.2f} "
            f"of whole months = ${self.usd:.2f}, and {len(self.unknown)} unknown"
        )


def estimate(planned: Iterable[Resource], *, limit_hours: float) -> Estimate:
    """What these resources cost at most when they are destroyed after so many hours."""
    return Estimate(charges=tuple(charges(planned)), hours=limit_hours + DESTROYING_HOURS)


def refuse(found: Estimate, *, budget: float, accept_unknown: bool) -> None:
    """Let a run that keeps to its budget pass.

    Raises:
        OverBudgetError: when it would cost more, or something of unknown price was not accepted.
    """
    arithmetic = "\n".join(found.lines())
    if found.usd > budget:
        raise OverBudgetError(
            f"{arithmetic}\nThe budget is ${budget:.2f}. Give more: --budget {found.usd + 0.01:.2f}"
        )
    if found.unknown and not accept_unknown:
        unknown = ", ".join(sorted({charge.type for charge in found.unknown}))
        raise OverBudgetError(
            f"{arithmetic}\nNobody here knows the price of {unknown}. Look it up and add a row to "
            "catalog/prices.yaml, or accept it: --accept-unknown-prices"
        )
