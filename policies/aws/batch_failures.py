"""AWS-LAM-01: one failed message does not repeat its whole batch."""

from collections.abc import Iterator

from policies.resource import Resource
from policies.rule import ResourceRule, one_of
from policies.values import is_undecided, listed

_WANTED = "ReportBatchItemFailures"


def _check(mapping: Resource) -> Iterator[str]:
    types = mapping.inputs.get("functionResponseTypes")
    if not is_undecided(types) and _WANTED not in listed(types):
        yield f"functionResponseTypes lacks {_WANTED}."


RULE = ResourceRule(
    id="AWS-LAM-01",
    title="Every event source mapping accepts partial batch responses.",
    severity="high",
    enforcement="mandatory",
    remedy=f'Set functionResponseTypes to ["{_WANTED}"] on the event source mapping.',
    source="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html",
    applies=one_of("aws:lambda/eventSourceMapping:EventSourceMapping"),
    check=_check,
)
