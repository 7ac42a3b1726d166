"""The outputs of every variant."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import pulumi

from components.contracts import Database, Functions, Inference, Store
from functions.inference.endpoint import InferenceMode
from stacks.config import StackConfig


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The stack's outputs, by the same names in every variant."""

    page_url: pulumi.Output[str]
    """Address of the page and, below it, of the API."""
    api_token: pulumi.Output[str]
    """Secret. Callers of the API send it as `Authorization: Bearer`."""
    bucket: pulumi.Output[str]
    """Name of the bucket with documents and summaries; for local the path of a folder."""
    database_host: pulumi.Output[str]
    """Host of the PostgreSQL server."""
    inference_url: pulumi.Output[str]
    """Base URL of the first endpoint, ending in `/v1`."""
    inference_model: pulumi.Output[str]
    """Model name at the first endpoint."""
    inference_mode: InferenceMode
    """Inference mode."""
    variant: str
    """Variant: where the parts run."""

    @classmethod
    def of(
        cls,
        config: StackConfig,
        *,
        store: Store,
        database: Database,
        inference: Sequence[Inference],
        functions: Functions,
    ) -> "Outputs":
        """The outputs of a stack that consists of these parts."""
        return cls(
            page_url=functions.page_url,
            api_token=functions.api_token,
            bucket=store.bucket,
            database_host=database.host,
            inference_url=pulumi.Output.from_input(inference[0].url),
            inference_model=pulumi.Output.from_input(inference[0].model),
            inference_mode=config.inference_mode,
            variant=config.variant,
        )

    def exports(self) -> dict[str, pulumi.Input[str]]:
        """Name and value of each output."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
