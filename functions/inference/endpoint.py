"""The schema of an inference endpoint, of which `INFERENCE_ENDPOINTS` is a list.

The stack's config key `inference_endpoints` and `components.contracts.Inference` have the same
fields.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from math import log
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

InferenceMode = Literal["serverless", "dedicated", "cluster"]

_VISIBLE = re.compile("[!-~]+")

_PORT = "[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]"
_HEX = "[0-9A-Fa-f]{1,4}"
_SEVERAL = f"(?:{_HEX}(?::{_HEX})*)?"
_IPV6 = rf"\[(?!(?:[^\]:]*:){{8}})(?:(?:{_HEX}:){{7}}{_HEX}|{_SEVERAL}::{_SEVERAL})\]"
_ORIGIN = f"^https?://(?:[A-Za-z0-9._-]+|{_IPV6})(?::(?:{_PORT}))?"
"""Only what `urllib.parse` reads without an error."""

BaseUrl = Annotated[
    str,
    Meta(
        pattern=rf"{_ORIGIN}(?:/[^\s?#]*)?/v1\Z",
        examples=["https://inference.do-ai.run/v1"],
        extra_json_schema={
            "errorMessage": "an http or https URL with a valid host and port that ends in /v1"
        },
    ),
]
HttpUrl = Annotated[
    str,
    Meta(
        pattern=rf"{_ORIGIN}(?:/\S*)?\Z",
        extra_json_schema={"errorMessage": "an http or https URL with a valid host and port"},
    ),
]
LEAST_CONTEXT_TOKENS = 4096
ContextTokens = Annotated[int, Meta(ge=LEAST_CONTEXT_TOKENS, le=10_000_000, examples=[32_768])]
Price = Annotated[float, Meta(ge=0, lt=100_000, examples=[0.15])]
"""US dollars per million tokens."""


class Endpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint of OpenAI's chat completions API. Its key is kept apart.

    Attributes:
        name: Unique in the list; what the ledger, the page and the metrics call it.
        inference_mode: Inference mode.
        url: Base URL, ending in `/v1`.
        model: Model name for requests.
        successor: Model at the same URL that is requested when `model` no longer exists.
        context_tokens: Prompt and answer together fit in so many tokens.
        input_usd_per_million: Price of a million prompt tokens; None is unknown.
        output_usd_per_million: Price of a million answer tokens; None is unknown.
        weight: Its share of the documents among the endpoints of the same order, 0 to 100; one of
            weight 0 is asked only when the others of its order cannot answer.
        order: Lower is asked first.
        ca: PEM of the authorities that sign its certificate; empty are the public ones.
        replicas_url: URL of the replica monitor's report on each replica, at the same host with the
            same key and authorities; None without a replica monitor (see
            `inference.replica_status`).
    """

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9-]+\Z",
            examples=["spare"],
            extra_json_schema={"errorMessage": "a name of a-z, 0-9 and -"},
        ),
    ]
    inference_mode: InferenceMode = "serverless"
    url: BaseUrl
    model: Annotated[str, Meta(min_length=1, examples=["openai-gpt-oss-120b"])]
    successor: Annotated[str, Meta(min_length=1, examples=["openai-gpt-oss-20b"])] | None = None
    context_tokens: ContextTokens
    input_usd_per_million: Price | None = None
    output_usd_per_million: Price | None = None
    weight: Annotated[int, Meta(ge=0, le=100)] = 1
    order: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    ca: str = ""
    replicas_url: HttpUrl | None = None

    def __post_init__(self) -> None:
        """Refuse a replica monitor at another host, which would get the endpoint's key."""
        if self.replicas_url and urlsplit(self.replicas_url)[:2] != urlsplit(self.url)[:2]:
            raise ValueError(
                f"replicas_url {self.replicas_url!r} must be at the host of url {self.url!r}"
            )

    @property
    def fingerprint(self) -> str:
        """What answers behind the name: another URL or model is another endpoint to judge."""
        return hashlib.sha256(f"{self.url}\n{self.model}".encode()).hexdigest()[:16]

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Price of so many tokens in US dollars, or None where a price is unknown."""
        if self.input_usd_per_million is None or self.output_usd_per_million is None:
            return None
        return (
            prompt_tokens * self.input_usd_per_million
            + completion_tokens * self.output_usd_per_million
        ) / 1_000_000


def preferred(endpoints: Sequence[Endpoint], document: str) -> list[Endpoint]:
    """The endpoints in the order in which a document asks them, the same at every repetition.

    Among those of one order each document draws by weight (weighted rendezvous hashing: the
    largest `-weight / ln(hash)` wins), so that taking one endpoint out moves only its documents.
    """

    def key(endpoint: Endpoint) -> tuple[int, float]:
        digest = hashlib.sha256(f"{endpoint.name}\n{document}".encode()).digest()
        drawn = (int.from_bytes(digest[:8]) + 1) / (2**64 + 2)  # more than 0 and less than 1
        return endpoint.order, endpoint.weight / log(drawn)

    return sorted(endpoints, key=key)


def read_endpoints(text: str) -> tuple[Endpoint, ...]:
    """Read the list, in order; an endpoint without an order has that of its place in the list.

    Raises:
        ValueError: the list is empty, repeats a name, or one of its entries breaks a rule.
    """
    try:
        rows = msgspec.json.decode(text, type=list[dict[str, Any]])
        numbered = [{"order": place} | row for place, row in enumerate(rows)]
        endpoints = msgspec.convert(numbered, list[Endpoint])
    except msgspec.DecodeError as error:
        raise ValueError(f"must be a JSON list of endpoints: {error}") from error
    names = [endpoint.name for endpoint in endpoints]
    if not names:
        raise ValueError("must name at least one endpoint")
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"repeats the name {repeated[0]!r}")
    return tuple(sorted(endpoints, key=lambda endpoint: endpoint.order))


def read_keys(text: str) -> Mapping[str, str]:
    """Read the keys of the endpoints, by name.

    Raises:
        ValueError: never shows a key.
    """
    try:
        keys = msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        raise ValueError("must be a JSON object of names and keys") from None
    for name, key in keys.items():
        try:
            bearer(key)
        except ValueError as error:
            raise ValueError(f"the key of {name!r} {error}") from None
    return keys


def bearer(text: str) -> str:
    """The text, if a header can carry it: a line end copied with a key breaks every call.

    Raises:
        ValueError: never shows the text.
    """
    if not _VISIBLE.fullmatch(text):
        raise ValueError("must be visible ASCII characters only, without spaces or line ends")
    return text
