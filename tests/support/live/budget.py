"""The budget guard: the maximum cost of a live run, before the deployment."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from analysis.cost import Charge, charges
from policies.resource import Resource, name_of

DESTROYING_HOURS = 1.0
"""Added to the limit: AWS takes long to delete a network."""


class OverBudgetError(Exception):
    """A run that may exceed its budget; the message has the calculation."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The maximum cost of a run, from known prices.

    A monthly price counts in full. Resources paid by use are named and not counted.
    """

    charges: tuple[Charge, ...]
    hours: float

    def per(self, unit: str) -> float:
        """Sum of the prices per `hour` or `month`."""
        return sum(c.count * (c.usd or 0.0) for c in self.charges if c.per == unit)

    @property
    def usd(self) -> float:
        """The sum of the known prices."""
        return self.per("hour") * self.hours + self.per("month")

    @property
    def unknown(self) -> list[Charge]:
        """Charges without a known price."""
        return [charge for charge in self.charges if charge.unknown]

    def lines(self) -> Iterator[str]:
        """The calculation as text."""
        for c in sorted(self.charges, key=lambda charge: (charge.per, charge.type)):
            if c.usd:
                source = c.source or "no source"
                yield f"{c.count} x ${c.usd:.4f} per {c.per}: {c.type}, {c.part} ({source})"
        for charge in self.unknown:
            yield f"unknown: {name_of(charge.resource)}, {charge.type}"
        used = {c.type for c in self.charges if c.per == "use"}
        if used:
            yield f"by use, not counted: {', '.join(sorted(used))}"
        hour, month = self.per("hour"), self.per("month")
        yield (
            f"at most ${hour:.4f} per hour x {self.hours:g} h + ${month:.2f} "
            f"of whole months = ${self.usd:.2f}, and {len(self.unknown)} unknown"
        )


def estimate(planned: Iterable[Resource], *, limit_hours: float) -> Estimate:
    """The maximum cost of resources that are destroyed after a number of hours."""
    return Estimate(charges=tuple(charges(planned)), hours=limit_hours + DESTROYING_HOURS)


def refuse(found: Estimate, *, budget: float, accept_unknown: bool) -> None:
    """Check a run against its budget.

    Raises:
        OverBudgetError: it costs more, or an unknown price was not accepted.
    """
    arithmetic = "\n".join(found.lines())
    if found.usd > budget:
        raise OverBudgetError(
            f"{arithmetic}\nThe budget is ${budget:.2f}. Give more: --budget {found.usd + 0.01:.2f}"
        )
    if found.unknown and not accept_unknown:
        unknown = ", ".join(sorted({charge.type for charge in found.unknown}))
        raise OverBudgetError(
            f"{arithmetic}\nThe price of {unknown} is unknown. Add a row to "
            "catalog/prices.yaml, or accept it: --accept-unknown-prices"
        )
