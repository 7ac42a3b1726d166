"""Questions to accounts before anything is created: what is asked for, and what was found.

Every question only reads. What an account does not tell is unknown, and stops nobody.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

SECONDS = httpx.Timeout(15.0, connect=5.0)
"""A question waits no longer; who does not answer in it is unknown."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: What it is: the key of a setting, a variable, or a thing.
        ok: False when a command of `./seamless` will fail without it; None when nobody could say.
        found: What there is, in a few words.
        remedy: The command, or the sentence, that fixes it; "" when it is ok.
    """

    name: str
    ok: bool | None
    found: str
    remedy: str = ""


class Planned(Protocol):
    """A resource of a plan."""

    @property
    def type(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def inputs(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class StackContext:
    """What a stack is about to do, known without asking anybody.

    Attributes:
        resources: Of its plan.
        outputs: Of its plan; what only a deployment knows is no address.
        config: Values that were set, by full key, secrets included.
        existing: What its resources have become already, by logical name.
    """

    stack: str
    resources: Sequence[Planned]
    outputs: Mapping[str, Any]
    config: Mapping[str, str] = field(repr=False)
    existing: Mapping[str, Mapping[str, Any]] = field(repr=False)

    def set_line(self, key: str, example: str, *, secret: bool = False) -> str:
        """The command that sets a config value."""
        flag = "--secret " if secret else ""
        return f"pulumi config set {flag}{key} {example}".rstrip() + f" --stack {self.stack}"

    def named(self, type_: str, key: str) -> list[tuple[str, str]]:
        """Logical and own name of what of a type would be made under a name that a person chose."""
        return [
            (resource.name, resource.inputs[key])
            for resource in self.resources
            if resource.type == type_
            and resource.inputs.get(key)
            and self.existing.get(resource.name, {}).get(key) != resource.inputs[key]
        ]


Check = Callable[[StackContext], Iterable[Finding]]
"""Asks one account everything that matters for a stack."""


def bucket_name(intent: StackContext, endpoint: str, name: str) -> Finding:
    """Ask an S3 API, as nobody in particular, whether a bucket's name is free."""
    try:
        status = httpx.head(f"{endpoint}/{name}", timeout=SECONDS).status_code
    except httpx.HTTPError as error:
        found = (
            f"unknown whether {name} is free: {endpoint} did not answer ({type(error).__name__})"
        )
        return Finding(name="bucket_name", ok=None, found=found)
    if status == httpx.codes.NOT_FOUND:
        return Finding(name="bucket_name", ok=True, found=f"{name} is free")
    made_up = intent.set_line("bucket_name", '""')
    if status in (200, 301, 307, 403):  # there, elsewhere, or not for everybody
        return Finding(
            name="bucket_name",
            ok=False,
            found=f"Config bucket_name is {name!r}, but there is a bucket of this name already, "
            "and no two may have the same",
            remedy=f"Take another, or one that is made up: {made_up}",
        )
    found = f"unknown whether {name} is free: {endpoint} answered {status}"
    return Finding(name="bucket_name", ok=None, found=found)


def on_path(name: str, program: str, why: str, install: str) -> Finding:
    """Whether a program is on PATH.

    Args:
        name: What people call it.
        why: What it does for us, after "which".
        install: Where to read how it is installed.
    """
    at = shutil.which(program)
    return Finding(
        name=name,
        ok=at is not None,
        found=at or f"There is no {program} on PATH, which {why}",
        remedy="" if at else f"Install it: {install}",
    )
