"""Read-only clients of AWS for checks; missing credentials are the finding of `preflight.aws`."""

from typing import Any

import botocore.session  # type: ignore[import-untyped]
from botocore import exceptions
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]
from botocore.parsers import ResponseParserError  # type: ignore[import-untyped]

NO_ANSWER = (BotoCoreError, ClientError, ResponseParserError)

NOT_REACHED = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
)
"""Errors that `preflight.aws` reports once for all checks."""

_QUICK = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2})


def client(service: str, region: str) -> Any:
    """A client with the credentials of the environment and short timeouts."""
    return botocore.session.Session().create_client(service, region, config=_QUICK)


def why(error: Exception) -> str:
    """The call that got no answer, and the error's code."""
    response = getattr(error, "response", {})
    code = response.get("Error", {}).get("Code", type(error).__name__)
    return f"{getattr(error, 'operation_name', 'AWS')} answered {code}"
