"""What the application is told by its environment: typed, read once, complete or refused.

The variable names are the field names in upper case. Whoever starts the application, a component
or a test, sets exactly these; nothing else in `functions/` reads the environment.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin

from psycopg.conninfo import make_conninfo

from functions.endpoint import Endpoint, Rung, bearer, read_endpoints, read_keys

SECRET = {"secret": True}


class SettingsError(ValueError):
    """The environment lacks a variable, or holds one that breaks its rule."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The application's settings.

    Attributes:
        arrangement: Where the parts run; shown, never decided on.
        rung: The step of the inference ladder that the stack is configured for.
        api_token: What callers of the API present as `Authorization: Bearer`.
        store_url: `file:///folder` or `s3://bucket`.
        store_endpoint: S3 endpoint URL; empty means AWS itself.
        store_region: S3 region; empty for a folder.
        store_access_key_id: S3 key; empty means the platform's own credentials.
        store_secret_access_key: Belongs to `store_access_key_id`.
        database_host: PostgreSQL host name or address.
        database_port: PostgreSQL port.
        database_name: PostgreSQL database.
        database_user: PostgreSQL role.
        database_password: Belongs to `database_user`.
        database_sslmode: libpq's sslmode; `verify-full` wherever a network is crossed.
        inference_endpoints: JSON list of endpoints in order of preference, each with name, rung,
            url, model and context_tokens, and, where known, input_usd_per_million,
            output_usd_per_million, weight, order, ca and replicas_url.
        inference_api_keys: JSON object with the bearer key of each endpoint, by its name.
        inference_concurrency: Most calls in flight at once, per process and endpoint.
        inference_timeout_seconds: Longest wait for one answer.
        canary_interval_seconds: How often a sweep asks each endpoint its canary, at most.
        document_deadline_seconds: Time for one attempt at one document, all calls together.
        sweep_interval_seconds: How often the sweep looks for what events missed.
    """

    arrangement: str
    rung: Rung
    api_token: str = field(metadata={"secret": True, "read": bearer})
    store_url: str
    store_endpoint: str = ""
    store_region: str = ""
    store_access_key_id: str = ""
    store_secret_access_key: str = field(default="", metadata=SECRET)
    database_host: str
    database_port: int
    database_name: str
    database_user: str
    database_password: str = field(metadata=SECRET)
    database_sslmode: Literal["disable", "require", "verify-full"] = "verify-full"
    inference_endpoints: tuple[Endpoint, ...] = field(metadata={"read": read_endpoints})
    inference_api_keys: Mapping[str, str] = field(
        hash=False, metadata={"secret": True, "read": read_keys}
    )
    inference_concurrency: int = 8
    inference_timeout_seconds: float = 120.0
    canary_interval_seconds: float = 240.0
    document_deadline_seconds: float = 600.0
    sweep_interval_seconds: float = 60.0

    def __repr__(self) -> str:
        shown = (
            f"{f.name}={'***' if f.metadata.get('secret') else repr(getattr(self, f.name))}"
            for f in fields(self)
        )
        return f"Settings({', '.join(shown)})"

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Build the settings from the environment.

        Raises:
            SettingsError: names every variable that is missing or breaks its rule.
        """
        values: dict[str, Any] = {}
        problems: list[str] = []
        for f in fields(cls):
            variable = f.name.upper()
            text = environment.get(variable, "")
            if text == "":
                if f.default is MISSING:
                    problems.append(f"{variable} is not set")
                continue
            try:
                values[f.name] = _convert(f, text)
            except ValueError as error:
                shown = "" if f.metadata.get("secret") else f"={text!r}"
                problems.append(f"{variable}{shown}: {error}")
        for endpoint in values.get("inference_endpoints", ()):
            if endpoint.name not in values.get("inference_api_keys", {endpoint.name: ""}):
                problems.append(f"INFERENCE_API_KEYS: has no key for {endpoint.name!r}")
        if problems:
            raise SettingsError("The environment is not complete: " + "; ".join(problems) + ".")
        return cls(**values)

    @property
    def database_conninfo(self) -> str:
        """The libpq connection string. Holds the password: never log it."""
        return make_conninfo(
            host=self.database_host,
            port=self.database_port,
            dbname=self.database_name,
            user=self.database_user,
            password=self.database_password,
            sslmode=self.database_sslmode,
            sslrootcert="system" if self.database_sslmode == "verify-full" else None,
            connect_timeout=10,
        )

    @property
    def context_tokens(self) -> int:
        """Prompt and answer together fit in so many tokens, whichever endpoint answers."""
        return min(endpoint.context_tokens for endpoint in self.inference_endpoints)


def variable_names() -> frozenset[str]:
    """Every environment variable that the application reads."""
    return frozenset(f.name.upper() for f in fields(Settings))


def _convert(setting: Field[Any], text: str) -> Any:
    kind: Any = setting.type
    if read := setting.metadata.get("read"):
        return read(text)
    if kind is str:
        return text
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(f"must be one of {', '.join(get_args(kind))}")
        return text
    whole = kind is int
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"must be a {'whole number' if whole else 'number'}, more than 0")
    return number
