"""Whether each machine holds a model: a fit with its arithmetic, or a refusal with its reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from sizing.machines import Gpu, Machine, gpu
from sizing.memory import Fit, arithmetic
from sizing.models import Model

_MOST_NODES = 4


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A request for a machine; the fields are the arguments of `sizing.right_sizing.size`."""

    model: Model
    context_tokens: int
    concurrency: int
    region: str = ""

    def __str__(self) -> str:
        place = f" in {self.region}" if self.region else ""
        return (
            f"{self.model.name} for {self.concurrency} requests of {self.context_tokens:,} tokens"
            f"{place}"
        )

    def estimate(self, row: Machine, tensor_parallel: int, nodes: int) -> Fit:
        """The memory of a server of that size."""
        return arithmetic(
            self.model,
            row,
            context_tokens=self.context_tokens,
            tensor_parallel=tensor_parallel,
            nodes=nodes,
            max_num_seqs=self.concurrency,
        )


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """A machine that does not hold the model; without `fit` where memory is not the reason."""

    machine: Machine
    reason: str
    fit: Fit | None = None


def placements(
    required: Requirement, rows: tuple[Machine, ...]
) -> tuple[tuple[Fit, ...], tuple[Rejection, ...]]:
    """The fits, cheapest first and unknown prices last, and the refusals.

    With a region, machines that are known to be sold there come before those with unknown regions.
    Several machines share a model only where no single one holds one request: more requests need
    more replicas, not a larger server.
    """
    if required.context_tokens > required.model.context_tokens:
        reason = f"{required.model.name} reads {required.model.context_tokens:,} tokens at most"
        return (), tuple(Rejection(machine=row, reason=reason) for row in rows)
    tried = [_on_one(required, row) for row in rows]
    fits = [answer for answer in tried if isinstance(answer, Fit)]
    refusals = tuple(answer for answer in tried if isinstance(answer, Rejection))
    if not fits and not any(r.fit and r.fit.max_concurrency for r in refusals):
        fits = [fit for row in rows for fit in _on_several(required, row)]
    return tuple(sorted(fits, key=partial(_order, required.region))), refusals


def _on_one(required: Requirement, row: Machine) -> Fit | Rejection:
    """The smallest server on the machine that holds the request."""
    reason = _unsuited(gpu(row.gpu))
    if reason:
        return Rejection(machine=row, reason=reason)
    tried = [
        required.estimate(row, parallel, 1) for parallel in _tensor_parallel(required.model, row)
    ]
    for fit in tried:
        if fit.max_concurrency >= required.concurrency:
            return fit
    best = max(tried, key=lambda fit: (fit.max_concurrency, fit.available_bytes))
    return Rejection(
        machine=row,
        reason=f"room for {best.max_concurrency} requests of {required.context_tokens:,} tokens",
        fit=best,
    )


def _on_several(required: Requirement, row: Machine) -> Iterator[Fit]:
    """The fewest machines with a network between them that hold it, all of their GPUs in use."""
    if row.count < 8 or not row.fabric or _unsuited(gpu(row.gpu)):
        return
    parallel = max(_tensor_parallel(required.model, row))
    for nodes in range(2, _MOST_NODES + 1):
        fit = required.estimate(row, parallel, nodes)
        if fit.max_concurrency >= required.concurrency:
            yield fit
            return


def _tensor_parallel(wanted: Model, row: Machine) -> list[int]:
    """Powers of two that the machine has GPUs for and that divide the attention heads."""
    return [n for n in (1, 2, 4, 8) if n <= row.count and wanted.heads % n == 0]


def _order(region: str, fit: Fit) -> tuple[bool, bool, float, int, str]:
    elsewhere = bool(region) and region not in (fit.machine.regions or ())
    return elsewhere, fit.usd_hour is None, fit.usd_hour or 0.0, fit.nodes, fit.machine.slug


def _unsuited(card: Gpu) -> str:
    """Reason other than memory why the GPU cannot run a model; empty if it can."""
    return "" if card.bf16 else f"the {card.product} does not compute bfloat16"
