"""The context of a stack for the checks of an account."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from analysis.plan import Plan, make
from preflight.checks import StackContext
from tools.workspace import project_name

KEY = "key-of-a-test"


@cache
def _plan(stack: str, **overrides: str) -> Plan:
    return make(stack, overrides)


def context(
    stack: str,
    overrides: Mapping[str, str] | None = None,
    *,
    config: Mapping[str, str] | None = None,
    existing: Mapping[str, Mapping[str, Any]] | None = None,
) -> StackContext:
    """Plan a stack with these config values, and return its context.

    Args:
        config: Further config values by full key; by default a valid key.
        existing: Outputs of deployed resources by logical name.
    """
    planned, deployed = _plan(stack, **(overrides or {})), existing or {}
    given = {f"{project_name()}:{key}": value for key, value in (overrides or {}).items()}
    return StackContext(
        stack=stack,
        resources=planned.resources,
        outputs=planned.outputs,
        config=given
        | ({f"{project_name()}:inference_api_key": KEY} if config is None else dict(config)),
        existing={r.urn: deployed[r.name] for r in planned.resources if r.name in deployed},
    )
