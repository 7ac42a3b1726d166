"""A deployed application, described by its stack's outputs."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """See `tests.support.contract.application.Application`."""

    page_url: str
    token: str = field(repr=False)
    variant: str
    patience_seconds: float = 600.0

    def later(self) -> None:
        """Do nothing: the schedule is every five minutes."""


def deployed(outputs: Path) -> Deployed:
    """Read the output of `./seamless outputs STACK --json`."""
    try:
        found = json.loads(outputs.read_text())
        return Deployed(
            page_url=found["page_url"], token=found["api_token"], variant=found["variant"]
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise pytest.UsageError(
            f"--outputs {outputs}: {type(error).__name__}: {error}. It must hold page_url, "
            f"api_token and variant. Write it: ./seamless outputs STACK --json > {outputs}"
        ) from error
