"""Monitoring of the split variant: alarms, a dashboard and a budget."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import budgets, cloudwatch, sns

from components.aws.database import Database
from components.aws.functions import Functions
from components.aws.iam import allow, policy
from components.aws.queue import Queue

_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class AlarmRule:
    """An alarm on a CloudWatch metric.

    Attributes:
        above: The alarm is raised above this value; None if `below` is set.
        below: The alarm is raised below this value.
        minutes: Duration for which the threshold must be breached; of `once`, for which one breach
            keeps the alarm.
        once: One breach within the duration is enough.
        why: Description of the alarm: the cause, and what to do.
    """

    name: str
    namespace: str
    metric: str
    statistic: str
    above: float | None = None
    below: float | None = None
    minutes: int = 5
    once: bool = False
    why: str


@dataclass(frozen=True, kw_only=True)
class LogEvent:
    """Log lines that count as a metric.

    Attributes:
        name: Last part of the filters' names.
        functions: Functions whose logs have them.
        pattern: A filter pattern for JSON
            (docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html).
    """

    name: str
    metric: str
    functions: tuple[str, ...]
    pattern: str


EVENTS = (
    LogEvent(
        name="failed",
        metric="FailedDocuments",
        functions=("summarize", "sweep"),
        pattern='{ $.event = "document_failed" }',
    ),
    LogEvent(
        name="endpoints",
        metric="EndpointsOut",
        functions=("summarize", "sweep"),
        pattern='{ $.event = "endpoint_out" }',
    ),
)
"""Events of `functions.application`."""


_DEAD = AlarmRule(
    name="dead-letters",
    namespace="AWS/SQS",
    metric="ApproximateNumberOfMessagesVisible",
    statistic="Maximum",
    above=0,
    why="The worker failed five times to record an arrival; the sweep processes its document.",
)
_OLD = AlarmRule(
    name="oldest-arrival",
    namespace="AWS/SQS",
    metric="ApproximateAgeOfOldestMessage",
    statistic="Maximum",
    above=900,
    why="Arrivals wait for more than 15 minutes: the worker is too slow or does not run.",
)
_ERRORS = AlarmRule(
    name="errors",
    namespace="AWS/Lambda",
    metric="Errors",
    statistic="Sum",
    above=0,
    why="The function raised an error, timed out or ran out of memory; see its log.",
)
_THROTTLES = AlarmRule(
    name="throttles",
    namespace="AWS/Lambda",
    metric="Throttles",
    statistic="Sum",
    above=0,
    why="The account's concurrency limit of Lambda is reached; request a higher quota from AWS.",
)
_SERVER_ERRORS = AlarmRule(
    name="api-server-errors",
    namespace="AWS/ApiGateway",
    metric="5xx",
    statistic="Sum",
    above=0,
    minutes=30,
    once=True,
    why="The API answered with a server error, such as 503 for an unreachable database; see the "
    "logs of requests and of the function api.",
)
_DATABASE = [
    AlarmRule(
        name="database-processor",
        namespace="AWS/RDS",
        metric="CPUUtilization",
        statistic="Average",
        above=80,
        minutes=15,
        why="CPU is above 80 % for 15 minutes; take a larger instance if it lasts.",
    ),
    AlarmRule(
        name="database-storage",
        namespace="AWS/RDS",
        metric="FreeStorageSpace",
        statistic="Minimum",
        below=4 * _GIB,
        why="Less than 4 GiB are free; RDS extends the storage up to 100 GiB.",
    ),
    AlarmRule(
        name="database-connections",
        namespace="AWS/RDS",
        metric="DatabaseConnections",
        statistic="Maximum",
        # A db.t4g.micro takes about 80 (LEAST(memory / 9531392, 5000), of what RDS leaves it).
        above=60,
        why="More than 60 connections, near the smallest instance's limit; check the concurrency.",
    ),
]


class Monitoring(pulumi.ComponentResource):
    """Alarms and a budget that notify a person.

    Creates:
    - alarms of the queue, the functions, the HTTP API and the database
    - metric filters and alarms for failed documents and for endpoints that are out
    - a dashboard with their metrics
    - a monthly budget of the account
    - an SNS topic for all notifications, with a subscription by mail if `alert_email` is set
    """

    def __init__(
        self,
        name: str,
        *,
        arrivals: Queue,
        functions: Functions,
        database: Database,
        region: str,
        stack: str,
        monthly_budget_usd: int,
        alert_email: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        stack: Part of the dashboard's name, which AWS does not generate.
        monthly_budget_usd: For the whole account, in US dollars; a notification is sent when 80 %
            are spent, or when the forecast exceeds it.
        alert_email: Receives the notifications after confirming the subscription; empty for none.
        """
        super().__init__("seamless:aws:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        topic = sns.Topic(f"{name}-alarms", opts=child)
        topic_policy = sns.TopicPolicy(
            f"{name}-alarms-policy",
            arn=topic.arn,
            policy=policy(
                [
                    {
                        **allow(
                            "sns:Publish",
                            on=[topic.arn],
                            when={"StringEquals": {"aws:SourceAccount": topic.owner}},
                        ),
                        "Principal": {
                            "Service": ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
                        },
                    }
                ]
            ),
            opts=child,
        )
        if alert_email:
            sns.TopicSubscription(
                f"{name}-email",
                topic=topic.arn,
                protocol="email",
                endpoint=alert_email,
                opts=child,
            )
        watched: list[tuple[str, AlarmRule, Mapping[str, pulumi.Input[str]]]] = [
            ("", _DEAD, {"QueueName": arrivals.dead_letters_name}),
            ("", _OLD, {"QueueName": arrivals.name}),
            *(
                (f"{what}-", rule, {"FunctionName": function})
                for what, function in functions.names.items()
                for rule in (_ERRORS, _THROTTLES)
            ),
            *(("", rule, {"DBInstanceIdentifier": database.identifier}) for rule in _DATABASE),
        ]
        watched.append(("", _SERVER_ERRORS, {"ApiId": functions.http_api_id}))
        watched += [("", rule, {}) for rule in _logged(name, functions, stack, child)]
        for prefix, rule, dimensions in watched:
            _alarm(f"{name}-{prefix}{rule.name}", rule, dimensions, topic, child)
        cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=re.sub("[^A-Za-z0-9_-]", "-", f"{pulumi.get_project()}-{stack}"),
            dashboard_body=pulumi.Output.all(
                *(pulumi.Output.from_input(dict(dimensions)) for _, _, dimensions in watched)
            ).apply(lambda known: dashboard(region, [rule for _, rule, _ in watched], known)),
            opts=child,
        )
        budgets.Budget(
            f"{name}-budget",
            budget_type="COST",
            limit_amount=str(monthly_budget_usd),
            limit_unit="USD",
            time_unit="MONTHLY",
            notifications=[
                budgets.BudgetNotificationArgs(
                    comparison_operator="GREATER_THAN",
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    subscriber_sns_topic_arns=[topic.arn],
                )
                for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
            # AWS Budgets checks its permission to publish when the budget is created.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[topic_policy]),
        )
        self.register_outputs({})


def dashboard(
    region: str, rules: Sequence[AlarmRule], dimensions: Sequence[Mapping[str, str]]
) -> str:
    """A dashboard's body as JSON: one graph per metric, four in a row of 24 columns."""
    series: dict[tuple[str, str, str], list[list[str]]] = {}
    for rule, where in zip(rules, dimensions, strict=True):
        graph = series.setdefault((rule.namespace, rule.metric, rule.statistic), [])
        graph.append(
            [rule.namespace, rule.metric, *(text for pair in where.items() for text in pair)]
        )
    return json.dumps(
        {
            "widgets": [
                {
                    "type": "metric",
                    "x": 6 * (index % 4),
                    "y": 6 * (index // 4),
                    "width": 6,
                    "height": 6,
                    "properties": {
                        "title": metric,
                        "region": region,
                        "stat": statistic,
                        "period": 300,
                        "metrics": metrics,
                    },
                }
                for index, ((_, metric, statistic), metrics) in enumerate(series.items())
            ]
        }
    )


def _logged(
    name: str, functions: Functions, stack: str, opts: pulumi.ResourceOptions
) -> list[AlarmRule]:
    """Count the events in the logs; return the rules of their alarms."""
    namespace = f"{pulumi.get_project()}/{stack}"
    for event in EVENTS:
        for function in event.functions:
            cloudwatch.LogMetricFilter(
                f"{name}-{function}-{event.name}",
                log_group_name=functions.log_groups[function],
                pattern=event.pattern,
                metric_transformation=cloudwatch.LogMetricFilterMetricTransformationArgs(
                    namespace=namespace, name=event.metric, value="1"
                ),
                opts=opts,
            )
    failed, out = (event.metric for event in EVENTS)
    return [
        AlarmRule(
            name="failed-documents",
            namespace=namespace,
            metric=failed,
            statistic="Sum",
            above=0,
            minutes=60,
            once=True,
            why="Documents failed for a reason that is not their own, such as a refused inference "
            "key; see the logs of summarize and sweep for document_failed, then retry them.",
        ),
        AlarmRule(
            name="endpoints-out",
            namespace=namespace,
            metric=out,
            statistic="Sum",
            above=0,
            minutes=60,
            once=True,
            why="An inference endpoint or a replica is out, lacks its model or answered wrongly; "
            "see the logs of summarize and sweep for endpoint_out.",
        ),
    ]


def _alarm(
    name: str,
    rule: AlarmRule,
    dimensions: Mapping[str, pulumi.Input[str]],
    topic: sns.Topic,
    opts: pulumi.ResourceOptions,
) -> None:
    rises = rule.above is not None
    cloudwatch.MetricAlarm(
        name,
        alarm_description=rule.why,
        namespace=rule.namespace,
        metric_name=rule.metric,
        dimensions=dimensions,
        statistic=rule.statistic,
        period=300,
        evaluation_periods=rule.minutes // 5,
        datapoints_to_alarm=1 if rule.once else rule.minutes // 5,
        comparison_operator="GreaterThanThreshold" if rises else "LessThanThreshold",
        threshold=rule.above if rises else rule.below,
        treat_missing_data="notBreaching",
        alarm_actions=[topic.arn],
        ok_actions=[topic.arn],
        opts=opts,
    )
