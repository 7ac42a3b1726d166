"""Right-sizing: machines that hold a model at a context length and a concurrency, cheapest first.

size("gpt-oss-120b", context_tokens=32_768, concurrency=8, machines=machines("aws")).chosen
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from sizing.machines import Machine, Vendor, gpu
from sizing.memory import Fit
from sizing.models import MODELS, Model, model
from sizing.placement import Rejection, Requirement, placements

_CONTEXT_STEP = 1024


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """Every machine that holds the model, cheapest first and unknown prices last."""

    model: Model
    context_tokens: int
    concurrency: int
    fits: tuple[Fit, ...]
    refusals: tuple[Rejection, ...]

    @property
    def chosen(self) -> Fit:
        """The cheapest."""
        return self.fits[0]

    @property
    def text(self) -> str:
        """The choice with its arithmetic, and the other machines that fit."""
        others = ", ".join(f"{fit.machine.slug} ({fit.price})" for fit in self.fits[1:])
        return f"{self.model.name}: {self.chosen.text}\nwould do as well: {others or 'nothing'}"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A changed request that a machine does hold.

    Attributes:
        settings: Configuration keys and the values that make the change.
    """

    what: str
    settings: Mapping[str, str]
    fit: Fit

    @property
    def text(self) -> str:
        """The change, the machine that then holds the model, and the commands that set it."""
        lines = [f"  pulumi config set {key} {value}" for key, value in self.settings.items()]
        return "\n".join([f"- {self.what}: {self.fit.machine.slug}", *lines])


class DoesNotFit(ValueError):  # noqa: N818
    """No allowed machine holds the model as requested; the message has the arithmetic.

    Attributes:
        refusals: Every machine that was tried.
        choices: The nearest changes that do fit, nearest first.
    """

    def __init__(self, message: str, refusals: tuple[Rejection, ...], choices: tuple[Choice, ...]):
        super().__init__(message)
        self.refusals = refusals
        self.choices = choices


def size(
    wanted: Model | str,
    *,
    context_tokens: int,
    concurrency: int,
    machines: Iterable[Machine],
    region: str = "",
    vendors: Collection[Vendor] = ("nvidia", "amd"),
    gpu_or_machine: str | None = None,
    least_context_tokens: int = 1,
) -> Sizing:
    """Machines that hold the model for `concurrency` requests of `context_tokens`, in one server.

    Args:
        wanted: A model or its name.
        machines: The candidates, as of `sizing.machines.machines`.
        region: Prefers the machines that are known to be sold there.
        vendors: Vendors to choose from, if `gpu_or_machine` is not given.
        gpu_or_machine: Only this GPU (`h100`) or this machine (`gpu-h100x1-80gb`), if given.
        least_context_tokens: No choice of an error has a shorter context.

    Raises:
        DoesNotFit: No allowed machine holds it.
        ValueError: A number is below 1, or `gpu_or_machine` is not among the machines.
    """
    required = Requirement(
        model=model(wanted) if isinstance(wanted, str) else wanted,
        context_tokens=_positive("gpu_context_tokens", context_tokens, such_as=32_768),
        concurrency=_positive("gpu_concurrency", concurrency, such_as=8),
        region=region,
    )
    candidates = tuple(machines)
    if not candidates:
        raise ValueError("Right-sizing needs at least one machine to choose from; it got none.")
    allowed = tuple(
        row
        for row in candidates
        if gpu_or_machine in (row.gpu, row.slug)
        or (gpu_or_machine is None and gpu(row.gpu).vendor in vendors)
    )
    fits, refusals = placements(required, allowed)
    if not fits:
        choices = tuple(_choices(required, allowed, candidates, least_context_tokens))
        raise DoesNotFit(
            _message(required, gpu_or_machine, candidates, refusals, choices), refusals, choices
        )
    return Sizing(
        model=required.model,
        context_tokens=context_tokens,
        concurrency=concurrency,
        fits=fits,
        refusals=refusals,
    )


def _choices(
    required: Requirement,
    allowed: tuple[Machine, ...],
    candidates: tuple[Machine, ...],
    least_context_tokens: int,
) -> Iterator[Choice]:
    """Changes that fit: another machine, a smaller request, or both."""
    near = [
        *(
            _choice("another machine", required, candidates, allowed)
            if allowed != candidates
            else ()
        ),
        *_smaller(required, allowed, allowed, least_context_tokens),
    ]
    yield from near or _smaller(required, candidates, allowed, least_context_tokens)


def _smaller(
    required: Requirement,
    rows: tuple[Machine, ...],
    allowed: tuple[Machine, ...],
    least_context_tokens: int,
) -> Iterator[Choice]:
    def fits(question: Requirement) -> bool:
        return bool(placements(question, rows)[0])

    fewer = _most(lambda n: fits(replace(required, concurrency=n)), required.concurrency - 1)
    if fewer:
        yield from _choice(
            "fewer requests at once",
            replace(required, concurrency=fewer),
            rows,
            allowed,
            gpu_concurrency=fewer,
        )
    longest = min(required.context_tokens - 1, required.model.context_tokens)
    steps = _most(
        lambda n: fits(replace(required, context_tokens=n * _CONTEXT_STEP)),
        longest // _CONTEXT_STEP,
    )
    tokens = steps * _CONTEXT_STEP
    if tokens >= least_context_tokens:
        yield from _choice(
            "a shorter context",
            replace(required, context_tokens=tokens),
            rows,
            allowed,
            gpu_context_tokens=tokens,
        )
    for other in MODELS.values():
        if (
            other.base == required.model.base
            and other.resident_bytes < required.model.resident_bytes
        ):
            yield from _choice(
                f"{other.format} weights",
                replace(required, model=other),
                rows,
                allowed,
                gpu_model=other.name,
            )


def _choice(
    what: str,
    required: Requirement,
    rows: tuple[Machine, ...],
    allowed: tuple[Machine, ...],
    **settings: object,
) -> Iterator[Choice]:
    """The cheapest machine for the changed request, if there is one."""
    fits, _ = placements(required, rows)
    if fits:
        changed = {key: str(value) for key, value in settings.items()}
        if fits[0].machine not in allowed:
            changed["gpu_type"] = fits[0].machine.slug
        yield Choice(what=what, settings=changed, fit=fits[0])


def _most(holds: Callable[[int], bool], most: int) -> int:
    """The largest number up to `most` for which `holds` is true; 0 if there is none.

    `holds` must be true for every number below one for which it is true.
    """
    least = 0
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if holds(middle) else (least, middle - 1)
    return least


def _message(
    required: Requirement,
    name: str | None,
    candidates: tuple[Machine, ...],
    refusals: tuple[Rejection, ...],
    choices: tuple[Choice, ...],
) -> str:
    where = f"on gpu_type {name}" if name else f"any of {len(refusals)} machines"
    closest = max(
        (refusal.fit for refusal in refusals if refusal.fit),
        key=lambda fit: (fit.max_concurrency, fit.available_bytes),
        default=None,
    )
    reasons = sorted({refusal.reason for refusal in refusals if not refusal.fit})
    parts = [f"{required} does not fit {where}.", *(f"{reason}." for reason in reasons)]
    if not refusals:
        known = ", ".join(sorted({row.gpu for row in candidates}))
        parts = [
            f"gpu_type is {name!r}: it must be a GPU or a machine of the catalogue. GPUs: {known}."
        ]
    if closest:
        parts += ["The closest:", closest.text]
    parts += ["What fits:", *(choice.text for choice in choices)] if choices else ["Nothing near."]
    return "\n".join(parts)


def _positive(key: str, value: int, *, such_as: int) -> int:
    if value < 1:
        raise ValueError(
            f"{key} is {value}: it must be at least 1. Set it: pulumi config set {key} {such_as}"
        )
    return value
