"""An application that somebody deployed: its stack's outputs are all that is known of it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """See `tests.support.contract.application.Application`."""

    page_url: str
    token: str = field(repr=False)
    checks_uploads: bool = True
    patience_seconds: float = 600.0

    def later(self) -> None:
        """The schedule fires by itself, every five minutes."""


def deployed(outputs: Path) -> Deployed:
    """Read what `./seamless outputs STACK --json` printed.

    Raises:
        pytest.UsageError: when the file is not that.
    """
    try:
        found = json.loads(outputs.read_text())
        return Deployed(page_url=found["page_url"], token=found["api_token"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise pytest.UsageError(
            f"--outputs {outputs}: {type(error).__name__}: {error}. It must hold page_url and "
            f"api_token. Write it: ./seamless outputs STACK --json > {outputs}"
        ) from error
