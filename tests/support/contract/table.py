"""The table of facts and hosts."""

import pytest

PLACES = ("local", "lambda", "functions", "deployed")

NOT_TESTED = "\N{EN DASH}"
MARKS = {"passed": "✓", "failed": "✗", "skipped": NOT_TESTED}


class Results:
    """A pytest plugin that collects the results of the contract."""

    def __init__(self) -> None:
        self._marks: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Store the result of a fact on a host."""
        path, _, test = report.nodeid.partition("::")
        fact, _, place = test.removesuffix("]").partition("[")
        if not path.startswith("tests/contract/") or place not in PLACES:
            return
        if report.when == "call" or report.outcome != "passed":
            row = self._marks.setdefault(fact.removeprefix("test_").replace("_", " "), {})
            if row.get(place) != MARKS["failed"]:
                row[place] = MARKS[report.outcome]

    def lines(self) -> list[str]:
        """The table, or nothing without results."""
        places = [p for p in PLACES if any(p in row for row in self._marks.values())]
        if not places:
            return []
        shared_first = sorted(self._marks.items(), key=lambda row: -len(row[1]))
        width = max(map(len, self._marks))
        head = f"{'':{width}}  {'  '.join(places)}"
        return [
            "",
            f"The application on every host (✓ holds, ✗ fails, {NOT_TESTED} is not tested there):",
            head,
            *(
                f"{fact:{width}}  "
                + "  ".join(f"{row.get(place, NOT_TESTED):^{len(place)}}" for place in places)
                for fact, row in shared_first
            ),
        ]
