"""A stack's plan as a Terraform configuration with the same resources and arguments.

The program runs against a mock that answers each output with Terraform's expression for it, such as
`${aws_sqs_queue.arrivals.arn}`, so the references between resources are those of the program.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from pulumi.runtime.proto import resource_pb2

from analysis import mock_engine, plan
from policies.resource import SECRET, UNKNOWN

ACCOUNT = "123456789012"
"""Stands in the comment of an ARN's expression, at the place where the program takes it from."""

HIDDEN = "of-a-test"

Schemas = Mapping[str, Mapping[str, Any]]
"""Terraform's schema by resource type: `terraform providers schema -json`."""

TYPES = {
    "aws:autoscaling/tag:Tag": "aws_autoscaling_group_tag",
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": "aws_sqs_queue_redrive_allow_policy",
    "aws:budgets/budget:Budget": "aws_budgets_budget",
    "aws:cloudwatch/dashboard:Dashboard": "aws_cloudwatch_dashboard",
    "aws:cloudwatch/eventRule:EventRule": "aws_cloudwatch_event_rule",
    "aws:cloudwatch/eventTarget:EventTarget": "aws_cloudwatch_event_target",
    "aws:cloudwatch/logGroup:LogGroup": "aws_cloudwatch_log_group",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "aws_cloudwatch_metric_alarm",
    "aws:rds/instance:Instance": "aws_db_instance",
    "aws:rds/parameterGroup:ParameterGroup": "aws_db_parameter_group",
    "aws:rds/subnetGroup:SubnetGroup": "aws_db_subnet_group",
}
"""Terraform's name of a type where it is not made of Pulumi's."""

RENAMED = {
    "aws_autoscaling_attachment": {
        "autoscalingGroupName": "autoscaling_group_name",
        "lbTargetGroupArn": "lb_target_group_arn",
    },
    "aws_lambda_function": {"name": "function_name", "code": "filename"},
    "aws_lambda_permission": {"function": "function_name"},
    "aws_cloudwatch_metric_alarm": {"name": "alarm_name"},
    "aws_sns_topic_subscription": {"topic": "topic_arn"},
    "aws_lb": {"loadBalancerType": "load_balancer_type"},
    "aws_lb_listener": {},
}
"""Terraform's names of inputs that Pulumi renames, by type."""

COMPUTED: dict[str, dict[str, Any]] = {
    "aws_launch_template": {"latestVersion": 1},
    "aws_db_instance": {"masterUserSecrets": [{"secretArn": "master_user_secret[0].secret_arn"}]},
    "aws_eks_cluster": {"certificateAuthority": {"data": "certificate_authority[0].data"}},
    "aws_eks_node_group": {
        "resources": [{"autoscalingGroups": [{"name": "resources[0].autoscaling_groups[0].name"}]}]
    },
}
"""Numbers and outputs in lists that the program reads, by type.

A text is the path of an attribute, a number the value itself."""

LATER = {
    "aws_eks_cluster": {"deletion_protection"},
    "aws_eks_node_group": {
        "node_repair_config.max_parallel_nodes_repaired_count",
        "node_repair_config.max_unhealthy_node_threshold_count",
        "update_config.update_strategy",
        "node_repair_config.node_repair_config_overrides",
    },
    "aws_s3_bucket_server_side_encryption_configuration": {"rule.blocked_encryption_types"},
}
"""Arguments of a newer provider, which are left out."""

_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(kw_only=True)
class Configuration:
    """A configuration in Terraform's JSON syntax.

    Attributes:
        document: The configuration.
        tokens: Pulumi's type token by Terraform's type.
        left_out: Arguments that this provider does not have.
    """

    document: dict[str, Any]
    tokens: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)


class _Wired(mock_engine.Monitor):
    """Answers with Terraform's expressions."""

    schemas: Schemas = {}

    def __init__(self) -> None:
        super().__init__()
        self.after: dict[str, list[str]] = {}

    def Invoke(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        """Answer the only function that a stack calls, for an add-on, which moto does not play."""
        answer = resource_pb2.ResourceInvokeResponse()
        getattr(answer, "return").update({"version": "v1"})
        return answer

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        answer = super().RegisterResource(request)
        if request.type.startswith("aws:"):
            kind = terraform_type(request.type, self.schemas)
            address = f"{kind}.{request.name}"
            answer.id = f"${{{address}.id}}"
            for name, value in COMPUTED.get(kind, {}).items():
                answer.object[name] = _at(address, value)
            for name, value in _outputs(kind, address, self.schemas[kind]["block"]):
                answer.object[name] = value
            self.after[answer.urn] = list(request.dependencies)
        return answer


def terraform_type(token: str, schemas: Schemas) -> str:
    """Terraform's type for Pulumi's type token."""
    module, _, name = token.removeprefix("aws:").split(":")[0].partition("/")
    found = [
        *([TYPES[token]] if token in TYPES else []),
        f"aws_{module}_{snake(name)}",
        f"aws_{snake(name)}",
    ]
    for kind in found:
        if kind in schemas:
            return kind
    raise LookupError(f"Terraform has no type for {token}: tried {', '.join(found)}.")


def snake(name: str) -> str:
    """An input's name in Terraform's form."""
    return _CASE.sub("_", name).lower()


def camel(name: str) -> str:
    """An attribute's name in Pulumi's form."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def configuration(
    stack: str, overrides: Mapping[str, str], schemas: Schemas, *, bundle: str
) -> Configuration:
    """The configuration of a stack.

    Args:
        bundle: Path of the zip that every function runs.
    """
    _Wired.schemas = schemas
    monitors: list[_Wired] = []

    def made() -> _Wired:
        monitors.append(_Wired())
        return monitors[-1]

    with patch.object(mock_engine, "Monitor", made):
        planned = plan.make(stack, overrides).resources
    aws = {r.urn: r for r in planned if r.type.startswith("aws:")}
    result = Configuration(document={})
    resources: dict[str, dict[str, Any]] = {}
    addresses = {urn: f"{terraform_type(r.type, schemas)}.{r.name}" for urn, r in aws.items()}
    for urn, resource in aws.items():
        kind = terraform_type(resource.type, schemas)
        result.tokens[kind] = resource.type
        block = schemas[kind]["block"]
        body = dict(_arguments(kind, "", resource.inputs, block, result))
        if kind == "aws_lambda_function":
            body["filename"] = bundle
        for name, attribute in block["attributes"].items():
            if attribute.get("required") and name not in body:
                body[name] = f"{resource.name}-0000000"
        after = sorted({addresses[u] for u in monitors[0].after[urn] if u in addresses})
        if after:
            body["depends_on"] = after
        if resource.ignores:
            body["lifecycle"] = {"ignore_changes": [_path(p) for p in resource.ignores]}
        resources.setdefault(kind, {})[resource.name] = body
    result.document["resource"] = resources
    return result


def _path(pulumi: str) -> str:
    first, *rest = pulumi.split(".")
    return ".".join([snake(first), *(f"0.{snake(word)}" for word in rest)]).replace(".0.", "[0].")


def _arguments(
    kind: str, path: str, inputs: Mapping[str, Any], block: Mapping[str, Any], to: Configuration
) -> Iterator[tuple[str, Any]]:
    attributes, blocks = block.get("attributes", {}), block.get("block_types", {})
    known = {*attributes, *blocks}
    for given, value in inputs.items():
        if value is None:
            continue
        name = _known(RENAMED.get(kind, {}).get(given) or snake(given), known)
        full = f"{path}{name}"
        if name in LATER.get(kind, ()) or full in LATER.get(kind, ()):
            to.left_out.add(f"{kind}.{full}")
            continue
        if name not in known:
            raise LookupError(f"{kind} has no argument {full} for Pulumi's {given}")
        if name in blocks:
            inner = blocks[name]["block"]
            items = value if isinstance(value, list) else [value]
            yield (
                name,
                [dict(_arguments(kind, f"{full}.", item, inner, to)) for item in items],
            )
        else:
            yield name, _value(value, attributes[name].get("type"))


def _known(name: str, known: Iterable[str]) -> str:
    """The name, or its singular: Pulumi gives lists a plural."""
    if name in known:
        return name
    singular = [name.removesuffix("s"), name.removesuffix("es"), re.sub("ies$", "y", name)]
    return next((found for found in singular if found in known), name)


def _value(value: Any, type_: Any) -> Any:
    """A value in the form of an attribute's type."""
    if value in (SECRET, UNKNOWN):  # an output of Kubernetes is unknown
        return HIDDEN
    inner = type_[1] if isinstance(type_, list) else None
    if isinstance(value, list):
        return [_value(item, inner) for item in value]
    if isinstance(value, dict):
        if type_ == "string":
            return json.dumps(value)
        if isinstance(inner, dict):  # an object, whose every attribute must be there
            given = {snake(key): item for key, item in value.items()}
            return {key: _value(given.get(key), inner[key]) for key in inner}
        return {key: _value(item, inner) for key, item in value.items()}
    return value


def _outputs(kind: str, address: str, block: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    renamed = {terraform: pulumi for pulumi, terraform in RENAMED.get(kind, {}).items()}
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("type") == "string":
            account = f" /*::::{ACCOUNT}:*/" if name == "arn" else ""
            yield renamed.get(name, camel(name)), f"${{{address}.{name}{account}}}"
    for name, inner in block.get("block_types", {}).items():
        found = {
            camel(key): f"${{{address}.{name}[0].{key}}}"
            for key, attribute in inner["block"].get("attributes", {}).items()
            if attribute.get("type") == "string" and attribute.get("computed")
        }
        if found and inner.get("max_items") == 1:
            yield camel(name), found


def _at(address: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_at(address, item) for item in value]
    if isinstance(value, dict):
        return {key: _at(address, item) for key, item in value.items()}
    return f"${{{address}.{value}}}" if isinstance(value, str) else value
