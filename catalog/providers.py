"""Inference providers that speak OpenAI's dialect: where they are, and what they ask for a model.

Prices are US dollars per million tokens. A row is what its source said on its date; check it before
you rely on it.
"""

from catalog import Amount, Count, Row, Table


class Provider(Row, frozen=True, kw_only=True):
    """One provider's endpoint with the model that we compare by.

    Attributes:
        base_url: Ends in `/v1`. `{region}` stands for the AWS region.
        model: The provider's name for gpt-oss-120b.
        context_tokens: Prompt and answer together fit in so many tokens.
        deployment: How one's own deployment of the model is named at `base_url`; empty where it
            has a URL of its own, or where we know of none.
    """

    name: str = ""
    base_url: str
    model: str
    context_tokens: Count
    input_usd_per_million: Amount | None
    output_usd_per_million: Amount | None
    deployment: str = ""


PROVIDERS = Table("providers", Provider)
