"""The harness of the contract: the outputs file and the table of results."""

import json
from pathlib import Path
from typing import Literal

import pytest

from tests.support.contract.table import Results
from tests.support.hosts.deployed import deployed


def test_a_deployed_application_is_described_by_its_outputs(tmp_path: Path) -> None:
    outputs = {
        "page_url": "https://a.example/",
        "api_token": "secret-of-a-test",
        "variant": "split",
    }
    (tmp_path / "outputs.json").write_text(json.dumps(outputs))

    application = deployed(tmp_path / "outputs.json")

    assert (application.page_url, application.token) == ("https://a.example/", "secret-of-a-test")
    assert "secret-of-a-test" not in repr(application)


@pytest.mark.parametrize("text", [None, "no JSON", "[]", '{"page_url": "https://a/"}'])
def test_an_invalid_outputs_file_is_an_error_with_the_command_that_writes_it(
    tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "outputs.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(pytest.UsageError) as error:
        deployed(path)

    assert str(error.value).startswith(f"--outputs {path}: ")
    assert str(error.value).endswith(f"./seamless outputs STACK --json > {path}")


def test_the_table_has_a_row_per_fact_and_a_column_per_host() -> None:
    results = Results()
    outcomes: dict[str, Literal["passed", "failed", "skipped"]] = {
        "test_http.py::test_a_holds[local]": "passed",
        "test_http.py::test_a_holds[lambda]": "failed",
        "test_http.py::test_it_is_b[lambda]": "skipped",
        "test_http.py::test_of_the_harness": "passed",
        "../other.py::test_c[local]": "passed",
    }
    for name, outcome in outcomes.items():
        nodeid = f"tests/contract/{name}".replace("contract/../", "")
        report = pytest.TestReport(nodeid, (nodeid, 0, nodeid), {}, outcome, None, "call")
        results.pytest_runtest_logreport(report)

    assert [line.rstrip() for line in results.lines()][2:] == [
        "         local  lambda",
        "a holds    ✓      ✗",
        "it is b    \N{EN DASH}      \N{EN DASH}",
    ]
    assert Results().lines() == []
