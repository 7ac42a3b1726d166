"""The alarms of split count the log lines that the application writes."""

import logging
from dataclasses import replace

import pytest

from components.aws.monitoring import EVENTS
from functions.application import Application
from functions.errors import Code, Failure
from functions.inference.canary import CanaryResult
from functions.inference.canary_prompt import Verdict
from functions.storage.ledger import Ledger
from tests.support.cloudwatch import PatternError, lambda_line, matches
from tests.support.functions.entries import get, queued
from tests.support.functions.fakes import Model

pytestmark = pytest.mark.anyio


def counted(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """How often the lines so far count in each metric."""
    lines = [lambda_line(record) for record in caplog.records]
    return {event.metric: sum(matches(event.pattern, line) for line in lines) for event in EVENTS}


@pytest.mark.parametrize(
    ("failure", "failed"),
    [
        (Failure(Code.INFERENCE_UNAUTHORIZED, "The key is refused.", "Set another key."), 1),
        (Failure(Code.INFERENCE_UNAVAILABLE, "No answer.", "Wait.", retryable=True), 0),
        (Failure(Code.INFERENCE_FILTERED, "A filter withheld the answer.", "None."), 0),
    ],
)
async def test_a_document_counts_as_failed_when_an_operator_can_correct_the_cause(
    core: Application,
    ledger: Ledger,
    caplog: pytest.LogCaptureFixture,
    failure: Failure,
    failed: int,
) -> None:
    async def raises() -> str:
        raise failure

    core = replace(core, router=Model(raises))
    entry = await queued(core)

    await core.summarize(entry.id)

    assert (await get(core, entry.id)).error_code == failure.code
    assert counted(caplog) == {"FailedDocuments": failed, "EndpointsOut": 0}


@pytest.mark.parametrize(("verdict", "out"), [("wrong", 1), ("unreachable", 0), ("good", 0)])
async def test_a_wrong_canary_counts_as_an_endpoint_that_is_out(
    core: Application, caplog: pytest.LogCaptureFixture, verdict: Verdict, out: int
) -> None:
    class Canary(Model):
        async def run_canary(self, endpoint: str) -> CanaryResult:
            return CanaryResult(verdict=verdict)

    await replace(core, router=Canary()).sweep()

    assert counted(caplog) == {"FailedDocuments": 0, "EndpointsOut": out}


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ('{ $.event = "document_failed" }', True),
        ("{ $.event = document_* && $.level != INFO }", True),
        ('{ $.event = "document_refused" }', False),
        ('{ $.missing != "x" }', False),
    ],
)
async def test_a_pattern_selects_properties_of_a_json_line(pattern: str, matched: bool) -> None:
    record = logging.makeLogRecord({"levelname": "WARNING", "event": "document_failed"})

    assert matches(pattern, lambda_line(record)) is matched
    assert matches(pattern, "START RequestId: 1") is False


@pytest.mark.parametrize(
    "pattern",
    ['$.event = "x"', '{ event = "x" }', '{ $.event == "x" }', "{ $.event = a-b }", "{ }"],
)
async def test_a_pattern_outside_of_the_syntax_is_an_error(pattern: str) -> None:
    with pytest.raises(PatternError):
        matches(pattern, "{}")
