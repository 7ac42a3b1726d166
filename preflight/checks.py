"""Checks of accounts before a deployment: what a check gets, and what it returns.

Checks only read. A check that an account does not answer is unknown, and stops no deployment.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx

from policies.resource import Resource

SECONDS = httpx.Timeout(15.0, connect=5.0)
"""Timeout of a request; without a response in time the result is unknown."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        name: What was checked: a config key, an environment variable or a part of the account.
        ok: False if a command of `./seamless` would fail; None if the result is unknown.
        found: The result in a few words.
        remedy: The command or the sentence that fixes it; empty if it is ok.
    """

    name: str
    ok: bool | None
    found: str
    remedy: str = ""


Command = Literal["up", "preview", "drift"]
"""What follows the checks; `drift` is a preview that refreshes first."""


@dataclass(frozen=True, kw_only=True)
class StackContext:
    """What a stack is about to deploy, known without an account.

    Attributes:
        resources: Resources of its plan.
        outputs: Outputs of its plan; an output that only a deployment knows is a placeholder text.
        config: Config values by full key, secrets included.
        existing: Outputs of its deployed resources with their `id`, by their URN in the plan.
        command: A right that only `up` needs is no error before another command.
    """

    stack: str
    resources: Sequence[Resource]
    outputs: Mapping[str, Any]
    config: Mapping[str, str] = field(repr=False)
    existing: Mapping[str, Mapping[str, Any]] = field(repr=False)
    command: Command = "up"

    def __post_init__(self) -> None:
        present = {alias: r.urn for r in self.resources for alias in r.aliases}
        existing = {present.get(urn, urn): found for urn, found in self.existing.items()}
        object.__setattr__(self, "existing", existing)  # the dataclass is frozen

    def set_line(self, key: str, example: str, *, secret: bool = False) -> str:
        """The command that sets a config value."""
        flag = "--secret " if secret else ""
        return f"pulumi config set {flag}{key} {example}".rstrip() + f" --stack {self.stack}"

    def for_up(self, finding: Finding) -> Finding:
        """The finding of what only `up` needs: before another command it is information."""
        if self.command == "up" or finding.ok is not False:
            return finding
        return replace(finding, ok=None)

    def named(self, type_: str, key: str) -> list[tuple[str, str]]:
        """Logical name and configured name of each new resource with a configured name.

        Args:
            type_: Type of the resources.
            key: Input that is the name.
        """
        return [
            (resource.name, resource.inputs[key])
            for resource in self.resources
            if resource.type == type_
            and resource.inputs.get(key)
            and self.existing.get(resource.urn, {}).get(key) != resource.inputs[key]
        ]


Check = Callable[[StackContext], Iterable[Finding]]
"""Checks one account for a stack."""


def bucket_name(context: StackContext, endpoint: str, name: str) -> Finding:
    """Check without credentials whether a bucket's name is free at an S3 API."""
    try:
        status = httpx.head(f"{endpoint}/{name}", timeout=SECONDS).status_code
    except httpx.HTTPError as error:
        found = (
            f"unknown whether {name} is free: {endpoint} did not answer ({type(error).__name__})"
        )
        return Finding(name="bucket_name", ok=None, found=found)
    if status == httpx.codes.NOT_FOUND:
        return Finding(name="bucket_name", ok=True, found=f"{name} is free")
    generated = context.set_line("bucket_name", '""')
    if status in (200, 301, 307, 403):  # public, in another region, or private
        return Finding(
            name="bucket_name",
            ok=False,
            found=f"Config bucket_name is {name!r}, but a bucket with this name exists, and a name "
            "is unique",
            remedy=f"Set another name, or let Pulumi generate one: {generated}",
        )
    found = f"unknown whether {name} is free: {endpoint} answered {status}"
    return Finding(name="bucket_name", ok=None, found=found)


def on_path(name: str, program: str, why: str, install: str) -> Finding:
    """Check whether a program is on PATH.

    Args:
        name: Its name for people.
        why: Its purpose, as a clause after "which".
        install: Address of its installation guide.
    """
    at = shutil.which(program)
    return Finding(
        name=name,
        ok=at is not None,
        found=at or f"{program} is not on PATH, which {why}",
        remedy="" if at else f"Install it: {install}",
    )
