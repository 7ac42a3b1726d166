"""The IAM policies of docs/permissions.md, made from the permission table."""

import json
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from preflight.aws_permissions import NEEDS, PHASES, Phase

Policy = dict[str, Any]

LIMIT = 6144
"""Most characters of a managed policy without white space (IAM User Guide, iam-quotas)."""

PREVIEW: tuple[Phase, ...] = ("read",)


def policies(phases: Iterable[Phase] = PHASES) -> list[Policy]:
    """Managed policies that together allow the actions of these phases.

    Their resources are those of the table, for every name, region and account.
    """
    made: list[Policy] = []
    for statement in _statements(tuple(phases)):
        if made and size(_with(made[-1], statement)) <= LIMIT:
            made[-1] = _with(made[-1], statement)
        else:
            made.append(_with({"Version": "2012-10-17", "Statement": []}, statement))
    return made


def size(policy: Policy) -> int:
    """Characters that IAM counts."""
    return len(json.dumps(policy, separators=(",", ":")))


def blocks(phases: Iterable[Phase]) -> str:
    """The policies as blocks of a document."""
    return "\n\n".join(f"```json\n{text(policy)}\n```" for policy in policies(phases))


def text(policy: Policy) -> str:
    """A policy as JSON with several actions in a line."""
    statements = ",\n".join(
        '    {\n      "Effect": "Allow",\n'
        f'      "Action": [\n{_wrapped(statement["Action"])}\n      ],\n'
        f'      "Resource": {json.dumps(statement["Resource"])}\n    }}'
        for statement in policy["Statement"]
    )
    return f'{{\n  "Version": "{policy["Version"]}",\n  "Statement": [\n{statements}\n  ]\n}}'


def _statements(phases: tuple[Phase, ...]) -> Iterator[Policy]:
    """One statement for all actions that need the same resources."""
    at: dict[str, set[str]] = defaultdict(set)
    for row in NEEDS.values():
        for need in row.needs:
            for action in need.actions(phases):
                at[action].add(need.pattern)
    by_resource: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for action, patterns in sorted(at.items()):
        by_resource[("*",) if "*" in patterns else tuple(sorted(patterns))].append(action)
    for resources, actions in sorted(by_resource.items(), key=lambda item: item[1]):
        yield {
            "Effect": "Allow",
            "Action": actions,
            "Resource": resources[0] if len(resources) == 1 else list(resources),
        }


def _with(policy: Policy, statement: Policy) -> Policy:
    return policy | {"Statement": [*policy["Statement"], statement]}


def _wrapped(actions: list[str]) -> str:
    words = ", ".join(json.dumps(action) for action in actions)
    return textwrap.fill(
        words,
        100,
        initial_indent=" " * 8,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )
