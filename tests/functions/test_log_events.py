"""The alarms of split, and the texts for alerts of integrated, by the lines that are logged.

A line is counted in the log group of the function that writes it, by the filters of that group.
"""

import logging
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest

from analysis.plan import make
from components.aws.monitoring import EVENTS
from functions.application import Application
from functions.errors import Code, Failure
from functions.handlers.digitalocean import LINES
from functions.inference.canary import CanaryResult, CanaryVerdict
from functions.inference.refusal import ModelNotFound
from functions.storage.ledger import MAX_LOST_LEASES
from policies.resource import Resource
from tests.functions.conftest import Sql
from tests.support.cloudwatch import METRICS, PatternError, lambda_line, matches
from tests.support.functions.entries import get, queued, uploaded
from tests.support.functions.fakes import Model
from tests.support.planned import used

pytestmark = pytest.mark.anyio

WORKERS = ("summarize", "sweep")
"""The functions that work on documents."""

DOCUMENT = Path(__file__).parents[2] / "docs/integrated.md"


@cache
def planned(kind: str) -> list[Resource]:
    """The resources of split of one type, by the end of its name."""
    return [r for r in make("split", {}).resources if r.type.endswith(f":{kind}")]


def alarms(function: str, caplog: pytest.LogCaptureFixture) -> set[str]:
    """The alarms that the lines so far raise when this function writes them."""
    lines = [lambda_line(record) for record in caplog.records]
    sums = Counter[tuple[str, str]]()
    for filter_ in planned("LogMetricFilter"):
        if used(filter_, "logGroupName") == [f"functions-{function}-logs"]:
            metric = filter_.inputs["metricTransformation"]
            assert metric.keys() == {"namespace", "name", "value"}
            counted = sum(matches(filter_.inputs["pattern"], line) for line in lines)
            sums[metric["namespace"], metric["name"]] += counted * int(metric["value"])
    return {
        alarm.name.removeprefix("monitoring-")
        for alarm in planned("MetricAlarm")
        if not alarm.inputs.get("dimensions")
        and alarm.inputs["statistic"] == "Sum"
        and alarm.inputs["comparisonOperator"] == "GreaterThanThreshold"
        and sums[alarm.inputs["namespace"], alarm.inputs["metricName"]] > alarm.inputs["threshold"]
    }


def texts(caplog: pytest.LogCaptureFixture) -> set[str]:
    """The texts of integrated's document that are in the lines so far."""
    documented = set(re.findall(r"`(event=\w+)`", DOCUMENT.read_text()))
    lines = [LINES.format(record) for record in caplog.records]
    return {text for text in documented for line in lines if text in line.split()}


def test_every_function_writes_to_the_log_group_that_its_filters_read() -> None:
    groups = {r.name: used(r, "loggingConfig") for r in planned("Function")}
    read = Counter(group for f in planned("LogMetricFilter") for group in used(f, "logGroupName"))

    assert {f"functions-{name}-logs" for name in WORKERS} == read.keys()
    for name in WORKERS:
        assert groups[f"functions-{name}"] == [f"functions-{name}-logs"]
        assert read[f"functions-{name}-logs"] == len(EVENTS)


def test_every_alarm_of_a_service_is_on_a_metric_that_the_service_has() -> None:
    """CloudWatch accepts an alarm on any name, and has no data for a wrong one."""
    of_services = [a.inputs for a in planned("MetricAlarm") if a.inputs["namespace"] in METRICS]

    assert {alarm["namespace"] for alarm in of_services} == METRICS.keys()
    for alarm in of_services:
        metrics, dimension = METRICS[alarm["namespace"]]
        assert alarm["metricName"] in metrics
        assert alarm["dimensions"].keys() == {dimension}


@pytest.mark.parametrize("function", WORKERS)
@pytest.mark.parametrize(
    ("failure", "failed"),
    [
        (Failure(Code.INFERENCE_UNAUTHORIZED, "The key is refused.", "Set another key."), True),
        (Failure(Code.INFERENCE_UNAVAILABLE, "No answer.", "Wait.", retryable=True), False),
        (Failure(Code.INFERENCE_FILTERED, "A filter withheld the answer.", "None."), False),
    ],
)
async def test_a_document_raises_an_alarm_when_an_operator_can_correct_the_cause(
    core: Application,
    caplog: pytest.LogCaptureFixture,
    failure: Failure,
    failed: bool,
    function: str,
) -> None:
    async def raises() -> str:
        raise failure

    core = replace(core, router=Model(raises))
    entry = await queued(core)

    await core.summarize(entry.id)

    assert (await get(core, entry.id)).error_code == failure.code
    assert alarms(function, caplog) == ({"failed-documents"} if failed else set())
    assert texts(caplog) == ({"event=document_failed"} if failed else set())


@pytest.mark.parametrize("function", WORKERS)
async def test_a_document_that_waits_for_a_model_raises_the_alarm_of_its_endpoint(
    core: Application, caplog: pytest.LogCaptureFixture, function: str
) -> None:
    async def raises() -> str:
        raise ModelNotFound.at(core.settings.inference_endpoints[0], " (404)")

    entry = await queued(core)
    await replace(core, router=Model(raises)).summarize(entry.id)

    assert f"document {entry.id} waits: MODEL_NOT_FOUND: " in caplog.text
    assert alarms(function, caplog) == {"endpoints-out"}
    assert texts(caplog) == {"event=endpoint_out"}


async def test_a_document_that_lost_its_workers_raises_an_alarm_and_a_lost_upload_does_not(
    core: Application, caplog: pytest.LogCaptureFixture, sql: Sql
) -> None:
    await uploaded(core, "late.txt")
    sql("update documents set created_at = now() - interval '25 hours'")
    await core.sweep()
    assert (alarms("sweep", caplog), texts(caplog)) == (set(), set())

    entry = await queued(core)
    await core.ledger.claim(entry.id, lease=timedelta(seconds=-1))
    sql("update documents set lost_leases = %s where id = %s", MAX_LOST_LEASES, entry.id)
    await core.sweep()

    assert (await get(core, entry.id)).status == "failed"
    assert alarms("sweep", caplog) == {"failed-documents"}
    assert texts(caplog) == {"event=document_failed"}


@pytest.mark.parametrize(
    ("verdict", "out"),
    [
        ("wrong", True),
        ("missing", True),
        ("unreachable", False),
        ("refused", False),
        ("good", False),
    ],
)
async def test_a_wrong_canary_or_a_missing_model_raises_the_alarm_of_the_endpoint(
    core: Application, caplog: pytest.LogCaptureFixture, verdict: CanaryVerdict, out: bool
) -> None:
    class Canary(Model):
        async def run_canary(self, endpoint: str) -> CanaryResult:
            return CanaryResult(verdict=verdict)

    await replace(core, router=Canary()).sweep()

    assert alarms("sweep", caplog) == ({"endpoints-out"} if out else set())
    assert texts(caplog) == ({"event=endpoint_out"} if out else set())


async def test_an_endpoint_that_is_missing_keeps_its_alarm_while_it_is_unreachable(
    core: Application, caplog: pytest.LogCaptureFixture
) -> None:
    class Canary(Model):
        async def run_canary(self, endpoint: str) -> CanaryResult:
            return CanaryResult(verdict="unreachable")

    (endpoint,) = core.settings.inference_endpoints
    await core.ledger.endpoint_health.mark(endpoint, ModelNotFound.at(endpoint, ""))
    await replace(core, router=Canary()).sweep()

    assert " is missing, canary unreachable" in caplog.text
    assert alarms("sweep", caplog) == {"endpoints-out"}


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
