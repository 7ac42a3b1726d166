"""The account that a live run of a variant needs, and how its resources are listed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.live import aws, digitalocean
from tests.support.live.remains import Look

INFERENCE_KEY = "SEAMLESS_LIVE_INFERENCE_API_KEY"
"""The variable with the inference key, which the engine reads from a pipe."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account of a variant.

    Attributes:
        credentials: Sets of variables, of which one is required.
        look: Lists the resources of live stacks.
        tidy: Deletes resources that the cloud created for a stack; returns their names.
    """

    credentials: tuple[tuple[str, ...], ...]
    look: Look
    tidy: Callable[[str], list[str]]

    def missing(self, environment: Mapping[str, str], *, inference: bool = True) -> list[str]:
        """The missing variables; `inference` is False when nothing is deployed."""
        sets = [[n for n in names if not environment.get(n)] for names in self.credentials]
        lacks = [] if [] in sets else [", or ".join(" and ".join(names) for names in sets)]
        if inference and not environment.get(INFERENCE_KEY):
            lacks.append(INFERENCE_KEY)
        return lacks


ACCOUNTS = {
    "integrated": Account(
        credentials=(("DIGITALOCEAN_TOKEN", "SPACES_ACCESS_KEY_ID", "SPACES_SECRET_ACCESS_KEY"),),
        look=digitalocean.look,
        tidy=digitalocean.tidy,
    ),
    "split": Account(
        credentials=(("AWS_PROFILE",), ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        look=aws.look,
        tidy=aws.tidy,
    ),
}
"""By variant that costs money."""
