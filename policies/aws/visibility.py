"""AWS-SQS-03: a queue hides a message while a function may still process it."""

from collections.abc import Iterator, Sequence
from itertools import product

from policies.aws.dead_letters import QUEUE
from policies.resource import Resource
from policies.rule import ResourceViolation, StackRule, refers

FUNCTION = "aws:lambda/function:Function"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
_FACTOR = 6
_DEFAULT_VISIBILITY, _DEFAULT_TIMEOUT = 30, 3
"""AWS's defaults, in seconds."""


def _check(resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
    mappings = [resource for resource in resources if resource.type == MAPPING]
    queues = [resource for resource in resources if resource.type == QUEUE]
    functions = [resource for resource in resources if resource.type == FUNCTION]
    for mapping, queue, function in product(mappings, queues, functions):
        if refers(mapping, "eventSourceArn", queue) and refers(mapping, "functionName", function):
            visible = queue.inputs.get("visibilityTimeoutSeconds", _DEFAULT_VISIBILITY)
            timeout = function.inputs.get("timeout", _DEFAULT_TIMEOUT)
            if not isinstance(visible, int | float) or not isinstance(timeout, int | float):
                continue  # unknown until deployed
            if visible < _FACTOR * timeout:
                yield ResourceViolation(
                    resource=queue,
                    message=f"visibilityTimeoutSeconds is {visible:g}, less than {_FACTOR} times "
                    f"the timeout of {timeout:g} s of function {function.name}.",
                )


RULE = StackRule(
    id="AWS-SQS-03",
    title="The visibility timeout of a queue is at least six times the timeout of its function.",
    severity="high",
    enforcement="mandatory",
    remedy="Set the queue's visibilityTimeoutSeconds to six times the function's timeout or more.",
    source="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html",
    check=_check,
)
