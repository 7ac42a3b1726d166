"""The application's settings, read from environment variables once and validated as a whole.

The variable names are the field names in upper case. Components and tests set exactly these; only
the handlers of a platform read further variables.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, get_args, get_origin

from psycopg.conninfo import make_conninfo

from functions.documents.memory import PARSER_MEBIBYTES
from functions.inference.endpoint import Endpoint, InferenceMode, bearer, read_endpoints, read_keys

SECRET = {"secret": True}


class SettingsError(ValueError):
    """A variable is missing or not valid."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The application's settings.

    Attributes:
        variant: Variant of the deployment, for display only.
        inference_mode: Inference mode of the stack.
        api_token: Token that callers of the API send as `Authorization: Bearer`.
        shared_page_url: URL of the page if pages of strangers have the same origin; empty if the
            origin is the application's own.
        store_url: `file:///folder` or `s3://bucket`.
        store_endpoint: S3 endpoint URL; empty for AWS.
        store_region: S3 region; empty for a folder.
        store_access_key_id: S3 key; empty for a folder. At AWS, that of the function's role.
        store_secret_access_key: Secret of `store_access_key_id`.
        store_session_token: Session token of `store_access_key_id`, if that is temporary.
        database_host: PostgreSQL host name or address.
        database_port: PostgreSQL port.
        database_name: PostgreSQL database.
        database_user: PostgreSQL role.
        database_password: Password of `database_user`.
        database_sslmode: libpq's sslmode; `verify-full` over any network.
        inference_endpoints: JSON list of endpoints in order of preference, each with name,
            inference_mode, url, model and context_tokens, and, where known,
            input_usd_per_million, output_usd_per_million, weight, order, ca and replicas_url.
        inference_api_keys: JSON object with the bearer key of each endpoint, by its name.
        inference_concurrency: Most concurrent calls per process and endpoint.
        inference_timeout_seconds: Timeout of one call.
        canary_interval_seconds: Shortest time between two canaries of an endpoint.
        document_deadline_seconds: Time limit of one attempt at a document, for all its calls.
        sweep_interval_seconds: Time between two sweeps of the local host.
        parser_memory_mebibytes: Most memory of the process that reads a document.
    """

    variant: str
    inference_mode: InferenceMode
    api_token: str = field(metadata={"secret": True, "read": bearer})
    shared_page_url: str = ""
    store_url: str
    store_endpoint: str = ""
    store_region: str = ""
    store_access_key_id: str = ""
    store_secret_access_key: str = field(default="", metadata=SECRET)
    store_session_token: str = field(default="", metadata=SECRET)
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
    parser_memory_mebibytes: int = PARSER_MEBIBYTES

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
            SettingsError: names every variable that is missing or not valid.
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
        """The libpq connection string. It contains the password: never log it."""
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
        """Smallest context length of all endpoints, for prompt and answer together."""
        return min(endpoint.context_tokens for endpoint in self.inference_endpoints)


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
