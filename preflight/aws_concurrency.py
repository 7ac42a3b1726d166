"""Checks whether the account may run the stack's Lambda functions at the same time."""

from collections.abc import Iterator

from preflight.aws_session import NO_ANSWER, NOT_REACHED, client, why
from preflight.checks import Finding, StackContext

NAME = "concurrent executions"

QUOTA, DEFAULT = "L-B99A9384", 1000
"""Code and default value of the quota.

A new account may have 10: mauricebrg.com, Managing Lambda@Edge Service Quotas; awslabs/
fhir-works-on-aws-deployment#691; the code as in public code of 2026-11-29. The default:
docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, read 2026-11-29."""

OTHERS = 2
"""The sweep, and one call of the page."""


def check(context: StackContext) -> Iterator[Finding]:
    """Compare the quota with what the stack runs at once; Lambda refuses calls above it.

    A lower quota fails no deployment, unless it has no place for the one call that a deployment
    makes (`database-owner-run`): no concurrency is reserved.
    """
    (region,) = (r.inputs["region"] for r in context.resources if r.type == "pulumi:providers:aws")
    workers = sum(
        r.inputs["scalingConfig"]["maximumConcurrency"]
        for r in context.resources
        if r.type == "aws:lambda/eventSourceMapping:EventSourceMapping"
    )
    try:
        limit = client("lambda", region).get_account_settings()["AccountLimit"]
    except NOT_REACHED:
        return
    except NO_ANSWER as error:
        yield Finding(name=NAME, ok=None, found=f"unknown: {why(error)}")
        return
    free, most = limit["UnreservedConcurrentExecutions"], workers + OTHERS
    found = (
        f"Lambda runs {free} calls at a time in {region}, and the stack up to {most}: {workers} "
        "workers, the sweep and the page"
    )
    if free >= most:
        yield Finding(name=NAME, ok=True, found=found)
        return
    effect = "documents wait, and the page may fail" if free else "the first call of up fails"
    yield context.for_up(
        Finding(
            name=NAME,
            ok=None if free else False,
            found=f"{found}; above the quota {effect}",
            remedy="Ask AWS for more, which may take days: aws service-quotas "
            f"request-service-quota-increase --region {region} --service-code lambda "
            f"--quota-code {QUOTA} --desired-value {DEFAULT}",
        )
    )
