"""What every arrangement promises to export."""

from dataclasses import dataclass, fields

import pulumi

from components.contracts import Rung


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The stack's outputs, by the same names in every arrangement."""

    page_url: pulumi.Output[str]
    """Address of the page and, below it, of the API."""
    api_token: pulumi.Output[str]
    """Secret. What callers of the API present as `Authorization: Bearer`."""
    bucket: pulumi.Output[str]
    """Where documents and summaries lie: a bucket's name, a folder's path."""
    database_host: pulumi.Output[str]
    """Host of the PostgreSQL server."""
    inference_url: pulumi.Output[str]
    """Base URL of the endpoint that answers, ending in `/v1`."""
    inference_model: pulumi.Output[str]
    """Model that is asked for."""
    rung: Rung
    """Step of the inference ladder."""
    arrangement: str
    """Where the parts run."""

    def exports(self) -> dict[str, pulumi.Input[str]]:
        """Name and value of each output."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
