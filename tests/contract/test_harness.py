"""What the contract itself says: of an outputs file that is none, and of how facts ended."""

import json
from pathlib import Path
from typing import Literal

import pytest

from tests.support.contract.table import Results
from tests.support.hosts.deployed import deployed


def test_a_deployed_application_is_known_by_its_outputs(tmp_path: Path) -> None:
    outputs = {"page_url": "https://a.example/", "api_token": "secret-of-a-test", "bucket": "b"}
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))

    application = deployed(tmp_path / "outputs.json")

    assert (application.page_url, application.token) == ("https://a.example/", "secret-of-a-test")
    assert "secret-of-a-test" not in repr(application)


@pytest.mark.parametrize("text", [None, "", "no JSON", "[]", "{}", '{"page_url": "https://a/"}'])
def test_outputs_that_are_none_are_refused_with_the_line_that_writes_them(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "outputs.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(pytest.UsageError) as refused:
        deployed(path)

    assert str(refused.value).startswith(f"--outputs {path}: ")
    assert str(refused.value).endswith(f"./seamless outputs STACK --json > {path}")


Ending = Literal["passed", "failed", "skipped"]


def test_the_table_has_a_row_for_a_fact_and_a_column_for_a_place() -> None:
    results = Results()
    for name, ending in {
        "test_http.py::test_a_holds[local]": "passed",
        "test_http.py::test_a_holds[lambda]": "failed",
        "test_http.py::test_it_is_b[lambda]": "skipped",
        "test_http.py::test_of_the_harness": "passed",
    }.items():
        results.pytest_runtest_logreport(_report(f"tests/contract/{name}", ending))
    results.pytest_runtest_logreport(_report("tests/other.py::test_c[local]", "passed"))

    assert [line.rstrip() for line in results.lines()][2:] == [
        "         local  lambda",
        "a holds    ✓      ✗",
        "it is b    \N{EN DASH}      \N{EN DASH}",
    ]
    assert Results().lines() == []


def _report(nodeid: str, ending: str) -> pytest.TestReport:
    outcome: Ending = "passed" if ending == "passed" else "failed"
    if ending == "skipped":
        outcome = "skipped"
    return pytest.TestReport(nodeid, (nodeid, 0, nodeid), {}, outcome, None, "call")
