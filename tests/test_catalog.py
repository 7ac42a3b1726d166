"""Every file of the catalogue loads, its rows are valid, and their references exist."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import catalog
from analysis.prices import PRICES
from analysis.replacement import REPLACING
from catalog import Amount, CatalogError, Count, Row, Table
from catalog.providers import PROVIDERS
from catalog.regions import OFFERS
from components.kubernetes.base.charts import CHARTS
from components.kubernetes.base.images import IMAGES
from preflight.aws_permissions import NEEDS
from sizing.machines import GPUS, MACHINES
from sizing.models import MODELS
from tools.docs.sizing import PUBLISHED

TABLES: tuple[Table[Any], ...] = (
    *(CHARTS, GPUS, IMAGES, MACHINES, MODELS, NEEDS),
    *(OFFERS, PRICES, PROVIDERS, PUBLISHED, REPLACING),
)


class Part(Row, frozen=True, kw_only=True):
    """A row of a test."""

    name: str = ""
    size: Count
    price: Amount = 0


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Part]]:
    """The rows of a file with this text."""

    def read(text: str) -> dict[str, Part]:
        (tmp_path / "parts.yaml").write_text(text)
        return dict(Table("parts", Part))

    monkeypatch.setattr(catalog, "FOLDER", tmp_path)
    return read


def test_every_file_is_a_table() -> None:
    assert sorted(table.path for table in TABLES) == sorted(catalog.FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.path.stem)
def test_a_row_without_a_source_has_no_date_and_no_price(table: Mapping[str, Row]) -> None:
    unsourced = [row for row in table.values() if not row.source]

    assert table
    assert all(row.seen is None for row in unsourced)
    assert all(getattr(row, "usd", None) is None for row in unsourced)


def test_the_references_of_a_row_exist() -> None:
    assert {row.gpu for row in MACHINES.values()} <= GPUS.keys()
    assert {row.model for row in PUBLISHED.values()} <= MODELS.keys()
    assert {row.machine for row in PUBLISHED.values()} - {None} <= MACHINES.keys()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{name: a, size: 1, seen: null}", "missing required field `source`"),
        ("{name: a, size: 1, source: x}", "missing required field `seen`"),
        ("{name: a, size: 1, source: x, seen: soon}", "Invalid RFC3339"),
        ("{name: a, size: 1, source: '', seen: null}", "Expected `str` of length >= 1"),
        ("{name: a, size: -1, source: x, seen: null}", "Expected `int` >= 0 - at `$.size`"),
        ("{name: a, size: 1, price: -0.5, source: x, seen: null}", "Expected `float` >= 0.0"),
        ("{name: a, size: 1, price: .nan, source: x, seen: null}", "Expected `float` >= 0.0"),
        (
            "{name: a, size: 1, source: x, seen: null, successor: b}",
            "there is no row of its successor 'b'",
        ),
        ("{name: a, size: 1, source: x, seen: null, sise: 2}", "unknown field `sise`"),
        ("{name: a, size: one, source: x, seen: null}", "Expected `int`, got `str`"),
        ("{size: 1, source: x, seen: null}", "row 2 (without a key): Object lacks its key"),
        ("{name: first, size: 1, source: x, seen: null}", "an earlier row has the same key"),
    ],
)
def test_an_invalid_row_is_refused_with_its_file_and_number(
    parts: Callable[[str], object], row: str, message: str
) -> None:
    with pytest.raises(CatalogError) as refused:
        parts(f"- rows: [{{name: first, size: 1, source: x, seen: null}}, {row}]")

    assert str(refused.value).startswith("catalog/parts.yaml, row 2 (")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "while parsing a flow node"),
        ("a: 1", "'str' object has no attribute 'pop'"),
        ("- {name: a}", "'rows'"),
        ("- rows: 3", "'int' object is not iterable"),
        ("- {rows: [{name: a, size: 1, size: 2}]}", "'size' is twice in the mapping at line 1"),
        ("- {seen: 2026-13-41, rows: [a]}", "month must be in 1..12"),
    ],
)
def test_an_invalid_file_is_refused(
    parts: Callable[[str], object], text: str, message: str
) -> None:
    rule = r"^catalog/parts\.yaml: it must be a list of groups"
    with pytest.raises(CatalogError, match=rule) as refused:
        parts(text)

    assert message in str(refused.value)


def test_a_missing_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "FOLDER", tmp_path)

    with pytest.raises(CatalogError, match=r"^catalog/parts\.yaml: .*No such file"):
        dict(Table("parts", Part))


def test_a_row_inherits_the_fields_of_its_group(parts: Callable[[str], dict[str, Part]]) -> None:
    found = parts("- {source: x, seen: 2026-01-02, size: 1, rows: [a, {name: b, seen: null}]}")

    assert [row.origin for row in found.values()] == ["x, 2026-01-02", "x, date unknown"]
