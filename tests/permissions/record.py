"""Records which AWS APIs the provider calls for the stack, and rewrites the permission table.

Run it where Terraform is: `python -m tests.permissions.record`. It takes about eight minutes,
because the provider waits between its calls.

A stack in production is created, then updated to development with everything changed that an `up`
can change, read, and destroyed. The cluster's stack has every resource type of the others.
"""

import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from preflight.aws_permissions import NEEDS, Phase
from tests.permissions import table
from tests.permissions.configuration import Configuration, Schemas, configuration, terraform_type
from tests.permissions.terraform import VERSION, Call, Terraform, moto, terraform_version

CONFIG = {"inference_mode": "cluster", "alert_email": "you@example.com"}

Json = dict[str, Any]

NOT_IN_MOTO = {
    "aws:budgets/budget:Budget": "it lacks tags and subscribers of a notification",
    "aws:eks/accessEntry:AccessEntry": "it lacks CreateAccessEntry",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": "it lacks the calls",
    "aws:eks/addon:Addon": "it lacks CreateAddon",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "it lacks the calls",
    "aws:sqs/redriveAllowPolicy:RedriveAllowPolicy": "it does not return the policy that was set",
}
"""Pulumi's tokens of the types that moto 5.2 does not play, and why.

The table has their actions from other sources."""

STAND_INS = {
    r"aws_eks_cluster\.[\w-]+\.vpc_config\[0\]\.cluster_security_group_id": (
        "aws_security_group.network-functions.id"
    ),
    r"aws_eks_node_group\.[\w-]+\.resources\[0\]\.autoscaling_groups\[0\]\.name": (
        "aws_autoscaling_group.nodes.name"
    ),
}
"""Expressions that are empty in moto, by pattern: EKS makes no group there."""

NODES = {
    "nodes": {
        "min_size": 0,
        "max_size": 0,
        "vpc_zone_identifier": ["${aws_subnet.network-private-a.id}"],
        "launch_template": [{"id": "${aws_launch_template.cluster-system.id}"}],
    }
}
"""The scaling group that EKS would make."""

CHANGES: dict[str, Json] = {
    "aws_apigatewayv2_integration": {"timeout_milliseconds": 28000},
    "aws_apigatewayv2_stage": {"lifecycle": {"ignore_changes": "all"}},  # moto lacks UpdateStage
    "aws_cloudwatch_dashboard": {"dashboard_body": '{"widgets": []}'},
    "aws_cloudwatch_event_rule": {"schedule_expression": "rate(10 minutes)"},
    "aws_cloudwatch_log_group": {"retention_in_days": 30},
    "aws_cloudwatch_metric_alarm": {"threshold": 5},
    "aws_db_parameter_group": {
        "parameter": [{"name": "log_connections", "value": "1", "apply_method": "immediate"}]
    },
    "aws_kms_key": {"description": "Another description"},
    "aws_lambda_event_source_mapping": {"batch_size": 2},
    "aws_lb_target_group": {"deregistration_delay": 100},
    "aws_secretsmanager_secret": {"description": "Another description"},
    "aws_secretsmanager_secret_version": {"secret_string": "another"},
    "aws_sqs_queue": {"message_retention_seconds": 86400},
}
"""Arguments that an update changes besides those in which development differs from production."""


def record(folder: Path) -> tuple[dict[Phase, list[Call]], Configuration]:
    """Create, update, read and destroy the stack; return the calls by phase."""
    with moto() as endpoint:
        terraform = Terraform(folder, endpoint)
        terraform.configure({}, {})
        terraform.init()
        schemas = terraform.schemas()
        first = _configuration(folder, schemas, "prod")
        second = _configuration(folder, schemas, "dev")
        calls: dict[Phase, list[Call]] = {}
        terraform.configure(first.document, _tags("prod"))
        calls["create"] = _say("create", terraform.calls("apply", "-auto-approve"))
        terraform.configure(changed(second.document), _tags("dev"))
        calls["update"] = _say("update", terraform.calls("apply", "-auto-approve"))
        calls["read"] = _say("read", terraform.calls("refresh"))
        calls["delete"] = _say("delete", terraform.calls("destroy", "-auto-approve"))
    return calls, first


def changed(document: Mapping[str, Any]) -> Json:
    """The configuration with every change of `CHANGES`."""
    resources = {
        kind: {
            name: {k: v for k, v in {**body, **CHANGES.get(kind, {})}.items() if v is not None}
            for name, body in named.items()
        }
        for kind, named in document["resource"].items()
    }
    for role in resources["aws_iam_role_policy"].values():
        policy = json.loads(role["policy"]) if isinstance(role["policy"], str) else role["policy"]
        policy["Statement"].append(
            {"Effect": "Allow", "Action": ["sts:GetCallerIdentity"], "Resource": ["*"]}
        )
        role["policy"] = json.dumps(policy)
    return {"resource": resources}


def _configuration(folder: Path, schemas: Schemas, environment: str) -> Configuration:
    bundle = folder / f"{environment}.zip"
    with zipfile.ZipFile(bundle, "w") as zipped:
        zipped.writestr("handler.py", f"# {environment}\n")
    found = configuration(
        "split", {**CONFIG, "environment": environment}, schemas, bundle=str(bundle)
    )
    text = json.dumps(found.document)
    for pattern, stand_in in STAND_INS.items():
        text = re.sub(pattern, stand_in, text)
    found.document = json.loads(text)
    resources = found.document["resource"]
    resources["aws_autoscaling_group"] = NODES
    missing = {terraform_type(token, schemas) for token in NOT_IN_MOTO}
    for kind in missing:
        resources.pop(kind, None)
    for named in resources.values():
        for body in named.values():
            after = body.get("depends_on", [])
            body["depends_on"] = [at for at in after if at.split(".")[0] not in missing]
    for body in resources["aws_lambda_function"].values():
        body["source_code_hash"] = environment
    return found


def _tags(environment: str) -> dict[str, str]:
    return {"project": "seamless", "stack": "split", "environment": environment}


def _say(phase: Phase, calls: list[Call]) -> list[Call]:
    print(f"{phase}: {len(calls)} calls", flush=True)
    return calls


def main() -> None:
    """Record, and write the data files and the table."""
    with tempfile.TemporaryDirectory() as folder:
        calls, made = record(Path(folder))
    write(calls, made)


def write(calls: Mapping[Phase, list[Call]], made: Configuration) -> None:
    """Write the data files and the recorded part of the table."""
    recorded = table.distinct(calls, made.tokens)
    facts: dict[str, Any] = {
        "seen": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "hashicorp/aws": VERSION,
            "moto": version("moto"),
            "terraform": terraform_version(),
        },
        "number_of_calls": {phase: len(some) for phase, some in calls.items()},
        **table.numbers(recorded),
        "left_out": sorted(made.left_out),
    }
    table.save(recorded, facts)
    source = table.source(facts)
    path = NEEDS.path
    path.write_text(
        table.replace(path.read_text(), table.text(table.load(), source, facts["seen"]))
    )
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
