"""Sends the canary, a prompt with a known answer, to an endpoint; the sweep schedules it.

A GPU with faulty memory or arithmetic keeps answering, and fluent nonsense passes every other
check.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Literal

from functions.inference.canary_prompt import MAX_TOKENS, MESSAGES, SEED, Verdict, is_right
from functions.inference.client import Client, Completion
from functions.inference.refusal import ModelNotFound
from functions.inference.replica_status import ReplicaStatuses, fetch_replica_statuses

TIMEOUT_SECONDS = 15.0

CanaryVerdict = Literal[Verdict, "missing", "refused"]
"""`missing`: the endpoint does not have the model. `refused`: it refuses the request for another
reason, such as the key."""

REQUEUED_PER_SWEEP = 100
"""Most documents of corrupt endpoints and replicas that one sweep queues again."""


@dataclass(frozen=True, kw_only=True)
class CanaryResult:
    """The result of one canary, and the tokens it used.

    Attributes:
        replica: The replica that answered, where the endpoint reports it.
        replicas: The replica monitor's report; None where there is no monitor or no answer.
    """

    verdict: CanaryVerdict
    replica: str | None = None
    replicas: ReplicaStatuses | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def counts(self) -> bool:
        """False for a wrong answer of a replica that the replica monitor judges itself."""
        return not (self.verdict == "wrong" and self.replicas and self.replica in self.replicas)


async def run_canary(client: Client) -> CanaryResult:
    """Send the canary to an endpoint once, and fetch its replicas' statuses where it has a monitor.

    The circuit breaker counts a canary without an answer as a failure.
    """
    outcome, replicas = await asyncio.gather(
        client.ask(
            MESSAGES,
            deadline=time.monotonic() + TIMEOUT_SECONDS,
            max_tokens=MAX_TOKENS,
            seed=SEED,
        ),
        fetch_replica_statuses(client.http, client.endpoint),
    )
    if not isinstance(outcome, Completion):
        verdict: CanaryVerdict = "unreachable" if outcome.failure.retryable else "refused"
        if isinstance(outcome.failure, ModelNotFound):
            verdict = "missing"
        return CanaryResult(verdict=verdict, replicas=replicas)
    return CanaryResult(
        verdict="good" if is_right(outcome.text, outcome.reason) else "wrong",
        replica=outcome.replica,
        replicas=replicas,
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
    )
