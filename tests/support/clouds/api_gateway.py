"""What the simulated API Gateway refuses of a stage."""

from collections.abc import Mapping
from typing import Any

from tests.support.clouds import aws_deletion
from tests.support.clouds.provider import Properties

ROUTE, STAGE = "aws:apigatewayv2/route:Route", "aws:apigatewayv2/stage:Stage"

DELIVERED = "/aws/vendedlogs/"
"""Log groups with this prefix need no statement of their own in a resource policy."""


class Aws(aws_deletion.Aws):
    """The provider of AWS, whose stages need their routes and room for their access log.

    - The account's policy for log delivery is full: each log group outside of `DELIVERED` is added
      to it, and a deleted one stays in it (anomalyco/sst#125; the error is that of
      serverless/serverless#10469). 51,200 in place of 5,120 characters are reported, too
      (anomalyco/sst#6231 of 2025-11), as is a policy of each group (docs.aws.amazon.com/
      AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-CWL.html, read 2026-11-29).
    - Settings are for routes that exist (terraform-aws-modules/terraform-aws-apigateway-v2#80).
    """

    def refused(self, token: str, inputs: Properties, resources: Mapping[str, Any]) -> str:
        """The refusal of a stage."""
        return _refused(inputs, resources) if token == STAGE else ""


def _refused(stage: Mapping[str, Any], resources: Mapping[str, Properties]) -> str:
    group = (
        (stage.get("accessLogSettings") or {}).get("destinationArn", "").partition(":log-group:")
    )
    if group[2] and not group[2].startswith(DELIVERED):
        return (
            "BadRequestException: Cannot enable logging. Policy document length breaking "
            "Cloudwatch Logs Constraints, either < 1 or > 5120"
        )
    routes = {
        route["outputs"]["routeKey"]
        for route in resources.values()
        if route["type"] == ROUTE and route["outputs"]["apiId"] == stage["apiId"]
    }
    for setting in stage.get("routeSettings") or ():
        if setting["routeKey"] not in routes:
            return (
                f"NotFoundException: Unable to find Route by key {setting['routeKey']} within the "
                "provided RouteSettings"
            )
    return ""
