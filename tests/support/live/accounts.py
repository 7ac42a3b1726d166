"""Which account a live run of a variant needs, and how that cloud is asked what is left."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.support.live import aws, digitalocean
from tests.support.live.remains import Look

INFERENCE_KEY = "SEAMLESS_LIVE_INFERENCE_API_KEY"
"""The variable with the key of the inference; it goes to the engine through a pipe."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a variant is deployed with.

    Attributes:
        credentials: Sets of variables; one of the sets has to be there.
        look: Lists what live stacks have in the account.
        tidy: Deletes what the cloud itself adds to a stack and keeps; returns what that was.
    """

    credentials: tuple[tuple[str, ...], ...]
    look: Look
    tidy: Callable[[str], list[str]]

    def missing(self, environment: Mapping[str, str], *, inference: bool = True) -> list[str]:
        """The variables that are not set, in words; empty when all is there.

        Args:
            environment: Where to look.
            inference: False when nothing is deployed, so that no model is asked.
        """
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
"""By variant: every one that costs money."""
