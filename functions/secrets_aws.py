"""Secrets by reference: Lambda is told where they lie at AWS, and reads them once."""

import json
from collections.abc import Callable, Mapping

SUFFIX = "_SECRET_ARN"
"""`NAME_SECRET_ARN` in the environment says where the value of `NAME` is."""

Read = Callable[[str, str], str]
"""Returns the text of a secret, by its ARN and the id of a version; `""` is the current one."""


def resolve(environment: Mapping[str, str], read: Read) -> dict[str, str]:
    """Return the environment with each referred secret under its own name.

    A reference is `ARN:KEY:STAGE:VERSION`, as ECS writes it. KEY picks a value out of a JSON
    object; KEY, STAGE and VERSION may be empty. STAGE is not used here and must be.

    Raises:
        ValueError: for a reference of another form. It names the variable, and no secret.
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
    """A reader of AWS Secrets Manager, with the function's own identity and region."""
    import boto3  # type: ignore[import-untyped]  # Lambda's runtime brings it

    client = boto3.client("secretsmanager")

    def read(arn: str, version: str) -> str:
        which = {"VersionId": version} if version else {}
        text: str = client.get_secret_value(SecretId=arn, **which)["SecretString"]
        return text

    return read
