"""Reads secrets that environment variables reference in AWS Secrets Manager."""

import json
from collections.abc import Callable, Mapping

SUFFIX = "_SECRET_ARN"
"""`NAME_SECRET_ARN` in the environment references the value of `NAME`."""

Read = Callable[[str, str], str]
"""Returns the text of a secret by its ARN and version id; an empty id is the current version."""


def resolve(environment: Mapping[str, str], read: Read) -> dict[str, str]:
    """Return the environment with each referenced secret under its own name.

    A reference is `ARN:KEY:STAGE:VERSION`, as in ECS task definitions. KEY selects a value of a
    JSON object; KEY and VERSION may be empty, STAGE must be empty.

    Raises:
        ValueError: for a reference of another form; names the variable, without a secret.
    """
    resolved = dict(environment)
    for variable, reference in environment.items():
        if not variable.endswith(SUFFIX):
            continue
        parts = reference.split(":")
        if len(parts) != 10 or parts[0] != "arn" or parts[8]:
            raise ValueError(f"{variable}={reference!r} must have the form ARN:KEY::VERSION.")
        arn, key, version = ":".join(parts[:7]), parts[7], parts[9]
        text = read(arn, version)
        name = variable.removesuffix(SUFFIX)
        resolved[name] = json.loads(text)[key] if key else text
        del resolved[variable]
    return resolved


def secrets_manager() -> Read:
    """A reader of AWS Secrets Manager, with the identity and region of the function."""
    import boto3  # type: ignore[import-untyped]  # Lambda's runtime brings it

    client = boto3.client("secretsmanager")

    def read(arn: str, version: str) -> str:
        which = {"VersionId": version} if version else {}
        text: str = client.get_secret_value(SecretId=arn, **which)["SecretString"]
        return text

    return read
