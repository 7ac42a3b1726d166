"""The catalogue: facts about clouds, machines, models and prices, each with its source and date.

A file is a list of groups. A group has `rows`, and whatever else it has holds for each of them:

    - source: docs.example.com/pricing
      seen: 2026-11-22
      rows:
        - {name: small, usd_hour: 0.016}
        - {name: large, usd_hour: 0.032, seen: 2026-10-01}
        - bare # for {name: bare}, by the first field of the table's key
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

FOLDER = Path(__file__).parent
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class CatalogError(ValueError):
    """A file of the catalogue breaks a rule; the message names the file, the row and the rule."""


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row has.

    Attributes:
        source: Origin of the figures; None is general knowledge, not looked up.
        seen: When the source was written; without a date, when it was read; None is unknown.
        retires_on: Last day on which the vendor offers it, where one is announced.
        successor: Key of the row that the vendor names in its place.
    """

    source: str | None
    seen: date | None
    retires_on: date | None = None
    successor: str | None = None

    @property
    def origin(self) -> str:
        """Source and date, to show; empty without a source."""
        return f"{self.source}, {self.seen or 'date unknown'}" if self.source else ""


R = TypeVar("R", bound=Row)


class Table(Mapping[str, R]):
    """The rows of `catalog/NAME.yaml` by their key. The file is read at the first look.

    Raises:
        CatalogError: at the first look, when the file or a row breaks a rule.
    """

    def __init__(self, name: str, row: type[R], *key: str) -> None:
        """Describe a table.

        Args:
            key: Fields that together tell a row from every other, joined by a space where there
                are several; `name` unless given.
        """
        self.path = FOLDER / f"{name}.yaml"
        self._row = row
        self._key = key or ("name",)

    def __getitem__(self, key: str) -> R:
        return self._rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def _rows(self) -> dict[str, R]:
        found: dict[str, R] = {}
        for number, given in enumerate(self._given(), start=1):
            key = " ".join(str(given[field]) for field in self._key if given.get(field))
            try:
                row = msgspec.convert(given, self._row)
            except msgspec.ValidationError as error:
                raise self._broken(number, key, str(error)) from None
            if not key or key in found:
                problem = "an earlier row has the same key" if key else "Object lacks its key"
                raise self._broken(number, key, problem)
            found[key] = row
        return found

    def _given(self) -> Iterable[dict[str, Any]]:
        try:
            groups = yaml.load(self.path.read_bytes(), _LOADER)  # noqa: S506  # a safe one
            for group in groups:
                rows = group.pop("rows")
                for row in rows:
                    yield group | (row if isinstance(row, dict) else {self._key[0]: row})
        except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            rule = "it must be a list of groups, each a mapping with a list of `rows`"
            raise CatalogError(f"catalog/{self.path.name}: {rule} ({error}).") from error

    def _broken(self, number: int, key: str, problem: str) -> CatalogError:
        where = f"catalog/{self.path.name}, row {number} ({key or 'without a key'})"
        fields = ", ".join(self._row.__struct_fields__)
        return CatalogError(f"{where}: {problem}. The fields of a row are {fields}.")
