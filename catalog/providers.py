"""Inference providers that speak OpenAI's dialect: where they are, and what they ask for a model.

Prices are US dollars per million tokens. A row is what its source said on its date; check it before
you rely on it.
"""

import re
from datetime import date, timedelta

from catalog import Amount, Count, Row, Table

NOTICE = timedelta(days=30)
"""How long before a model retires its users are warned."""


class Provider(Row, frozen=True, kw_only=True):
    """One provider's endpoint with the model that we compare by.

    Attributes:
        base_url: Ends in `/v1`. `{region}` stands for the AWS region.
        model: The provider's name for gpt-oss-120b.
        context_tokens: Prompt and answer together fit in so many tokens.
        deployment: How one's own deployment of the model is named at `base_url`; empty where it
            has a URL of its own, or where we know of none.
        retirement_source: Origin of `retires_on`, which ends the serverless model, not deployments.
        successor_model: Model at `base_url` that the provider names in its place.
    """

    name: str = ""
    base_url: str
    model: str
    context_tokens: Count
    input_usd_per_million: Amount | None
    output_usd_per_million: Amount | None
    deployment: str = ""
    retirement_source: str = ""
    successor_model: str = ""

    def serves(self, url: str, model: str) -> bool:
        """True for this row's model at this row's URL."""
        pattern = re.escape(self.base_url).replace(re.escape("{region}"), "[a-z0-9-]+")
        return model == self.model and re.fullmatch(pattern, url) is not None


PROVIDERS = Table("providers", Provider)


def retiring(url: str, model: str, *, today: date) -> Provider | None:
    """The row of a model that retires within `NOTICE`, or is retired; None for any other."""
    for row in PROVIDERS.values():
        if row.retires_on and row.serves(url, model) and today >= row.retires_on - NOTICE:
            return row
    return None
