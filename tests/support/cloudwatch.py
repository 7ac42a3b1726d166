"""CloudWatch Logs: a log line as Lambda writes it, and the filter patterns that count it.

A subset of the documented syntax; everything else is an error, as a wrong pattern is at AWS.
"""

import json
import logging
import re
from typing import Any

METRICS = {
    "AWS/ApiGateway": (
        {"4xx", "5xx", "Count", "IntegrationLatency", "Latency", "DataProcessed"},
        "ApiId",
    ),
    "AWS/Lambda": ({"Invocations", "Errors", "Throttles", "Duration"}, "FunctionName"),
    "AWS/SQS": (
        {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
        "QueueName",
    ),
    "AWS/RDS": (
        {"CPUUtilization", "FreeStorageSpace", "DatabaseConnections"},
        "DBInstanceIdentifier",
    ),
}
"""By namespace: metrics and the dimension of one resource. Of a wrong name CloudWatch has no data.

Sources below docs.aws.amazon.com, read 2026-11-29: apigateway/latest/developerguide/
http-api-metrics.html (a REST API has `4XXError` and `5XXError` by `ApiName` instead),
lambda/latest/dg/monitoring-metrics-types.html, AWSSimpleQueueService/latest/SQSDeveloperGuide/
sqs-available-cloudwatch-metrics.html; of RDS an article of AWS, aws.amazon.com/blogs/database/
making-better-decisions-about-amazon-rds-with-amazon-cloudwatch-metrics.
"""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"aws_request_id", "taskName"}
_TERM = re.compile(
    r"""\s*\$\.(?P<path>\w+(?:\.\w+)*)\s*(?P<operator>!=|=)\s*
        (?:"(?P<quoted>[^"]*)"|(?P<bare>[\w*]+))\s*""",
    re.VERBOSE | re.ASCII,
)


class PatternError(ValueError):
    """A pattern that is not in the subset."""


def lambda_line(record: logging.LogRecord) -> str:
    """The line that Lambda's Python runtime writes with `log_format: JSON`.

    Its fields, and `extra` beside them: aws/aws-lambda-python-runtime-interface-client,
    awslambdaric/lambda_runtime_log_utils.py, commit 082679f.
    """
    fields = {
        "timestamp": "2026-11-29T00:00:00.000Z",
        "level": record.levelname,
        "message": record.getMessage(),
        "logger": record.name,
    }
    extra = {name: value for name, value in vars(record).items() if name not in _OWN}
    return json.dumps({**extra, **fields}, ensure_ascii=False)


def matches(pattern: str, line: str) -> bool:
    """Apply `{ $.NAME = VALUE && ... }` to a line.

    - A selector is `$.` with names of letters, digits and underscores.
    - A value is quoted, or has only letters, digits, underscores and `*`.
    - `*` stands for any text.
    - A line that is no JSON object, and one without the property, does not match.

    Source: docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html,
    read 2026-11-29.

    Raises:
        PatternError: the pattern is outside of this subset, or longer than 1024 characters.
    """
    if len(pattern) > 1024 or not (inner := re.fullmatch(r"\{(.*)\}", pattern)):
        raise PatternError(f"{pattern!r} is not {{ ... }} of at most 1024 characters")
    terms = [_TERM.fullmatch(term) for term in inner[1].split("&&")]
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    held = [_holds(term, event, pattern) for term in terms]  # each may be an error
    return all(held)


def _holds(term: re.Match[str] | None, event: Any, pattern: str) -> bool:
    if term is None:
        raise PatternError(f"{pattern!r} has a term that is not $.NAME = VALUE")
    for name in term["path"].split("."):
        event = event.get(name) if isinstance(event, dict) else None
    if event is None:
        return False
    value = term["quoted"] if term["quoted"] is not None else term["bare"]
    wanted = ".*".join(map(re.escape, value.split("*")))
    equal = re.fullmatch(wanted, str(event), re.DOTALL) is not None
    return equal is (term["operator"] == "=")
