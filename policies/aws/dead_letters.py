"""AWS-SQS-02: messages that fail repeatedly go to a dead-letter queue."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from policies.resource import Hidden, Resource
from policies.rule import ResourceViolation, StackRule, may_name, may_refer
from policies.values import mapped

QUEUE = "aws:sqs/queue:Queue"
_TO_DEAD_LETTERS = ("redrivePolicy", "deadLetterConfig")
"""Properties that refer to a dead-letter queue, on any resource."""
_TRIES = range(5, 11)


def _check(resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
    queues = [resource for resource in resources if resource.type == QUEUE]
    for queue in queues:
        holder, policy = _redrive_policy(queue, resources)
        if policy is None:
            if not _holds_dead_letters(queue, resources):
                message = "The queue has no dead-letter queue."
                yield ResourceViolation(resource=queue, message=message)
        elif isinstance(policy, Hidden):
            made_from = holder.uses.get("redrivePolicy")
            if made_from and not {q.urn for q in queues if q is not queue} & set(made_from):
                message = "Its dead-letter queue is not another queue of this stack."
                yield ResourceViolation(resource=queue, message=message)
        else:
            target, tries = policy.get("deadLetterTargetArn"), policy.get("maxReceiveCount")
            if not any(may_name(target, other) for other in queues if other is not queue):
                message = f"Its dead-letter queue {target} is not another queue of this stack."
                yield ResourceViolation(resource=queue, message=message)
            if str(tries) not in map(str, _TRIES):
                message = f"maxReceiveCount is {tries}: it must be {_TRIES[0]} to {_TRIES[-1]}."
                yield ResourceViolation(resource=queue, message=message)


def _redrive_policy(queue: Resource, resources: Sequence[Resource]) -> tuple[Resource, Any]:
    """The redrive policy and the resource that holds it: the queue, or one that refers to it."""
    holders = [queue, *(other for other in resources if may_refer(other, "queueUrl", queue))]
    values = ((holder, holder.inputs.get("redrivePolicy")) for holder in holders)
    return next(((holder, _parsed(value)) for holder, value in values if value), (queue, None))


def _holds_dead_letters(queue: Resource, resources: Sequence[Resource]) -> bool:
    return any(
        queue.urn in resource.uses.get(key, ())
        or (key not in resource.uses and _leads_to(_parsed(resource.inputs.get(key)), queue))
        for resource in resources
        for key in _TO_DEAD_LETTERS
    )


def _leads_to(config: Any, queue: Resource) -> bool:
    if isinstance(config, Hidden):
        return True
    return any(may_name(config.get(key), queue) for key in ("deadLetterTargetArn", "targetArn"))


def _parsed(value: Any) -> Any:
    """A policy as a mapping; empty if it is not valid JSON."""
    if isinstance(value, Hidden):
        return value
    try:
        return mapped(json.loads(value) if isinstance(value, str) else value)
    except json.JSONDecodeError:
        return {}


RULE = StackRule(
    id="AWS-SQS-02",
    title="Every queue moves a message to a dead-letter queue of the stack after 5 to 10 receives.",
    severity="high",
    enforcement="mandatory",
    remedy="Give the queue a redrivePolicy with the ARN of a queue of this stack as "
    "deadLetterTargetArn and a maxReceiveCount of 5 to 10.",
    source="https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (5 or more)",
    check=_check,
)
