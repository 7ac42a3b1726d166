"""Readers for AWS policy documents, given as JSON text or as data."""

import json
from collections.abc import Mapping
from typing import Any

from policies.values import listed, mapped, readable


def statements(document: Any) -> list[Mapping[str, Any]]:
    """The statements of a document; none if it is hidden or invalid."""
    if (text := readable(document)) is not None:
        try:
            document = json.loads(text)
        except json.JSONDecodeError:
            return []  # AWS rejects it
    if not isinstance(document, Mapping):
        return []
    return [part for part in listed(document.get("Statement")) if isinstance(part, Mapping)]


def is_everybody(principal: Any) -> bool:
    """True for `*` and `{"AWS": "*"}`."""
    if isinstance(principal, Mapping):
        return "*" in listed(principal.get("AWS"))
    return bool(principal == "*")


def conditions(statement: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Operator, key and value of each condition; operator and key in lower case."""
    return [
        (operator.lower(), key.lower(), value)
        for operator, tests in mapped(statement.get("Condition")).items()
        for key, value in mapped(tests).items()
    ]
