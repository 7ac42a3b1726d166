"""The tables of cases beside this file, as resources and what is expected of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from policies.rule import Resource
from policies.values import Hidden

TABLES = sorted(Path(__file__).parent.glob("*.yaml"))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Resources, and the message of each that breaks the rule."""

    rule: str
    kind: str
    why: str
    resources: list[Resource]
    breaches: dict[str, str]


class _Loader(yaml.SafeLoader):
    """Reads `!unknown` and `!secret`."""


_Loader.add_constructor("!unknown", lambda *_: Hidden.UNKNOWN)
_Loader.add_constructor("!secret", lambda *_: Hidden.SECRET)


def cases() -> Iterator[Case]:
    """Every case of every table."""
    for table in TABLES:
        content = yaml.load(table.read_text(), _Loader)  # noqa: S506  # a safe loader
        for rule, rows in content.items():
            for row in rows:
                yield Case(
                    rule=rule,
                    kind=row["kind"],
                    why=row.get("why", ""),
                    resources=[_resource(name, r) for name, r in row["resources"].items()],
                    breaches=row.get("breaches", {}),
                )


def _resource(name: str, row: dict[str, Any]) -> Resource:
    return Resource(
        type=row["type"],
        name=name,
        props=row["props"],
        protect=row.get("protect", False),
        uses={key: frozenset(names) for key, names in row.get("uses", {}).items()},
    )
