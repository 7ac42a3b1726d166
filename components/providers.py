"""Inference providers that speak OpenAI's dialect: where they are, and what they ask for a model.

Prices are US dollars per million tokens. A row is what its source said on its date; check it before
you rely on it.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One provider's endpoint with the model that we compare by.

    Attributes:
        base_url: Ends in `/v1`. `{region}` stands for the AWS region.
        model: The provider's name for gpt-oss-120b.
        context_tokens: Prompt and answer together fit in so many tokens.
        source: Where the row comes from.
        seen: When the source was written or last changed.
        deployment: How one's own deployment of the model is named at `base_url`; empty where it
            has a URL of its own, or where we know of none.
    """

    base_url: str
    model: str
    context_tokens: int
    input_usd_per_million: float | None
    output_usd_per_million: float | None
    source: str
    seen: date | None
    deployment: str = ""


PROVIDERS = {
    "digitalocean": Provider(
        base_url="https://inference.do-ai.run/v1",
        model="openai-gpt-oss-120b",
        context_tokens=131_072,
        input_usd_per_million=0.10,
        output_usd_per_million=0.70,
        source="models.dev providers/digitalocean/models/openai-gpt-oss-120b.toml (secondary)",
        seen=date(2026, 4, 16),
    ),
    "fireworks": Provider(
        base_url="https://api.fireworks.ai/inference/v1",
        model="accounts/fireworks/models/gpt-oss-120b",
        context_tokens=131_072,
        input_usd_per_million=0.15,
        output_usd_per_million=0.60,
        source="docs.fireworks.ai/serverless/pricing",
        seen=date(2026, 6, 16),
        # fireworks.ai/docs/models/deploying, read 2026-11-22
        deployment="accounts/fireworks/models/gpt-oss-120b#accounts/ACCOUNT/deployments/ID",
    ),
    "baseten": Provider(
        base_url="https://inference.baseten.co/v1",
        model="openai/gpt-oss-120b",
        context_tokens=128_072,
        input_usd_per_million=0.10,
        output_usd_per_million=0.50,
        source="models.dev providers/baseten/models/openai/gpt-oss-120b.toml (secondary)",
        seen=date(2026, 6, 26),
    ),
    "together": Provider(
        base_url="https://api.together.ai/v1",
        model="openai/gpt-oss-120b",
        context_tokens=131_072,
        input_usd_per_million=0.15,
        output_usd_per_million=0.60,
        source="models.dev providers/togetherai (secondary)",
        seen=date(2026, 6, 26),
    ),
    "bedrock": Provider(
        base_url="https://bedrock-mantle.{region}.api.aws/v1",
        model="openai.gpt-oss-120b",
        context_tokens=128_000,
        input_usd_per_million=0.15,
        output_usd_per_million=0.60,
        source="models.dev providers/amazon-bedrock (secondary)",
        seen=date(2026, 6, 8),
    ),
}
