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
from typing import Annotated, Any, TypeVar

import msgspec
import yaml
from msgspec import Meta

FOLDER = Path(__file__).parent


Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0)]
"""Not NaN."""


class CatalogError(ValueError):
    """A file of the catalogue breaks a rule; the message names the file, the row and the rule."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that refuses a key twice in one mapping, which YAML forbids."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        if repeated := {key for key in keys if keys.count(key) > 1}:
            raise yaml.YAMLError(
                f"{min(repeated)!r} is twice in the mapping at line {node.start_mark.line + 1}"
            )
        return dict(super().construct_mapping(node, deep))


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every row has.

    Attributes:
        source: Origin of the figures; None is general knowledge, not looked up.
        seen: When the source was written; without a date, when it was read; None is unknown.
        retires_on: Day on which the vendor ends its offer, where one is announced.
        successor: Key of the row that the vendor names in its place.
    """

    source: Annotated[str, Meta(min_length=1)] | None
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
        for number, (key, row) in enumerate(found.items(), start=1):
            if row.successor is not None and row.successor not in found:
                raise self._broken(
                    number, key, f"there is no row of its successor {row.successor!r}"
                )
        return found

    def _given(self) -> Iterable[dict[str, Any]]:
        try:
            groups = yaml.load(self.path.read_bytes(), _Loader)  # noqa: S506  # a safe one
            for group in groups:
                rows = group.pop("rows")
                for row in rows:
                    yield group | (row if isinstance(row, dict) else {self._key[0]: row})
        except (yaml.YAMLError, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
            rule = "it must be a list of groups, each a mapping with a list of `rows`"
            raise CatalogError(f"catalog/{self.path.name}: {rule} ({error}).") from error

    def _broken(self, number: int, key: str, problem: str) -> CatalogError:
        where = f"catalog/{self.path.name}, row {number} ({key or 'without a key'})"
        fields = ", ".join(self._row.__struct_fields__)
        return CatalogError(f"{where}: {problem}. The fields of a row are {fields}.")
