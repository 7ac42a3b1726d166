"""The tables of cases in `tests/policies`, as resources and their expected violations."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from policies.resource import SECRET, UNKNOWN, Resource
from tests.support.planned import planned

TABLES = sorted((Path(__file__).parents[1] / "policies").glob("*.yaml"))


@dataclass(frozen=True, kw_only=True)
class Case:
    """Resources, and the message of each violation by resource."""

    rule: str
    kind: str
    why: str
    resources: list[Resource]
    violations: dict[str, str]


class _Loader(yaml.SafeLoader):
    """Reads `!unknown` and `!secret`."""


_Loader.add_constructor("!unknown", lambda *_: UNKNOWN)
_Loader.add_constructor("!secret", lambda *_: SECRET)


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
                    resources=_resources(row["resources"]),
                    violations=row.get("breaches", {}),
                )


def _resources(rows: dict[str, dict[str, Any]]) -> list[Resource]:
    plain = {name: planned(row["type"], name) for name, row in rows.items()}
    return [
        replace(
            plain[name],
            inputs=row["props"],
            protect=row.get("protect", False),
            uses={
                key: [plain[other].urn if other in plain else other for other in others]
                for key, others in row.get("uses", {}).items()
            },
        )
        for name, row in rows.items()
    ]
