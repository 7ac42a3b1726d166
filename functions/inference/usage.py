"""A summary together with the model calls that it took."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one or more model calls used, and which endpoints answered them.

    Attributes:
        model: Model name that the endpoint of the last call reported.
        inference_mode: Inference mode of that endpoint.
        endpoint: Name of that endpoint, which wrote the text.
        endpoints: Names of all endpoints that took part, sorted.
        replicas: Names of the replicas that took part, sorted; only endpoints with `X-Replica`.
        prompt_tokens: As counted by the endpoints.
        completion_tokens: As counted by the endpoints.
        calls: Requests, failed ones included.
        cost_usd: None when the price of any call is unknown.
    """

    model: str
    inference_mode: str
    endpoint: str
    endpoints: list[str]
    replicas: list[str]
    prompt_tokens: int
    completion_tokens: int
    calls: int
    cost_usd: float | None

    @classmethod
    def total(cls, usages: Sequence["Usage"]) -> "Usage":
        """The sum of several calls, of which the last one wrote the text."""
        costs = [usage.cost_usd for usage in usages if usage.cost_usd is not None]
        return cls(
            model=usages[-1].model,
            inference_mode=usages[-1].inference_mode,
            endpoint=usages[-1].endpoint,
            endpoints=sorted({name for usage in usages for name in usage.endpoints}),
            replicas=sorted({name for usage in usages for name in usage.replicas}),
            prompt_tokens=sum(usage.prompt_tokens for usage in usages),
            completion_tokens=sum(usage.completion_tokens for usage in usages),
            calls=sum(usage.calls for usage in usages),
            cost_usd=sum(costs) if len(costs) == len(usages) else None,
        )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A non-blank text of a model: the summary of a document, or of a part of one."""

    text: str
    usage: Usage
