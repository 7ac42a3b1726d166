"""The policy pack is a process with the analyzer protocol of the engine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policies.catalogue import RULES
from policies.evaluation import Environment, is_mandatory
from policies.waivers import WAIVERS
from tests.support.planned import planned
from tools.deploy.policy_pack import pack_options

PROJECT = Path(__file__).resolve().parents[2]
SECRET = {rpc._special_sig_key: rpc._special_secret_sig, "value": "tulips-in-may"}


@pytest.fixture(scope="module")
def pack() -> Iterator[Any]:
    """A client of the pack, which starts in its own folder and without our search path."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", "."],
        cwd=PROJECT / "policies",
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
        process.kill()


def _struct(props: dict[str, Any]) -> Struct:
    struct = Struct()
    struct.update(props)
    return struct


def _analyze(pack: Any, token: str, props: dict[str, Any]) -> list[tuple[str, str]]:
    answer = pack.Analyze(
        analyzer_pb2.AnalyzeRequest(
            type=token, urn=planned(token, "host").urn, name="host", properties=_struct(props)
        )
    )
    return [(found.policyName, found.message) for found in answer.diagnostics]


def _resource(token: str, name: str, **more: Any) -> Any:
    return analyzer_pb2.AnalyzerResource(
        type=token, urn=planned(token, name).urn, name=name, **more
    )


def _analyze_stack(pack: Any, *resources: Any) -> list[Any]:
    request = analyzer_pb2.AnalyzeStackRequest(resources=resources)
    return list(pack.AnalyzeStack(request).diagnostics)


def test_the_engine_gets_every_rule_and_a_policy_for_waived_violations(pack: Any) -> None:
    info = pack.GetAnalyzerInfo(Empty())

    policies = {policy.name: policy for policy in info.policies}
    assert set(policies) == {r.id for r in RULES} | {f"{w.policy}-waived" for w in WAIVERS}
    for rule in RULES:
        assert policies[rule.id].enforcementLevel == analyzer_pb2.MANDATORY
        assert policies[rule.id].remediation_steps == rule.remedy
        assert policies[rule.id].url.startswith("https://")
    assert policies["DO-DB-02-waived"].enforcementLevel == analyzer_pb2.ADVISORY
    assert policies["X-02"].severity == analyzer_pb2.POLICY_SEVERITY_CRITICAL


@pytest.mark.parametrize("environment", ["dev", "unprotected"])
def test_the_options_make_rules_advisory_outside_of_protected_prod(
    environment: Environment,
) -> None:
    (file,) = pack_options(environment)["policy_pack_configs"]

    assert json.loads(Path(file).read_text()) == {
        rule.id: "advisory" for rule in RULES if not is_mandatory(rule, environment)
    }
    assert all(is_mandatory(rule, "prod") for rule in RULES)
    assert pack_options("prod")["policy_pack_configs"] == []


def test_a_plain_secret_is_a_violation_that_does_not_show_its_value(pack: Any) -> None:
    assert _analyze(pack, "any:index:Thing", {"password": SECRET}) == []

    ((rule, message),) = _analyze(pack, "any:index:Thing", {"password": "tulips-in-may"})

    assert rule == "X-02"
    assert "password is named like a secret" in message
    assert "tulips" not in message
    assert message.splitlines()[-1] == next(r.remedy for r in RULES if r.id == "X-02")


def test_an_unknown_value_is_no_violation(pack: Any) -> None:
    props = {"publiclyAccessible": rpc.UNKNOWN, "storageEncrypted": rpc.UNKNOWN, "name": "db"}

    found = _analyze(pack, "aws:rds/instance:Instance", props)

    assert [rule for rule, _ in found] == ["X-01"]


def test_a_stack_rule_uses_the_dependencies_of_a_property(pack: Any) -> None:
    switches = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    bucket = "aws:s3/bucket:Bucket"
    dependencies = analyzer_pb2.AnalyzerPropertyDependencies(urns=[planned(bucket, "closed").urn])
    diagnostics = _analyze_stack(
        pack,
        _resource(bucket, "closed"),
        _resource(bucket, "open"),
        _resource(
            "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            "block",
            properties=_struct(dict.fromkeys(switches, True) | {"bucket": rpc.UNKNOWN}),
            propertyDependencies={"bucket": dependencies},
        ),
    )

    found = [d.urn for d in diagnostics if d.policyName == "AWS-S3-01"]
    assert found == [planned(bucket, "open").urn]


def test_a_stack_rule_sees_the_inputs_of_objects_in_a_new_cluster(pack: Any) -> None:
    """The engine sends no properties of these objects with the stack."""
    server, outside = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"
    template = {
        "metadata": {"labels": {"app": "vllm"}},
        "spec": {"containers": [{"name": "server", "command": ["vllm", "serve"]}]},
    }
    objects: dict[str, dict[str, Any]] = {
        server: {"spec": {"template": template}},
        outside: {"spec": {"type": "LoadBalancer", "selector": {"app": "vllm"}}},
    }
    for token, props in objects.items():
        _analyze(pack, token, props)
    diagnostics = _analyze_stack(pack, *(_resource(token, "host") for token in objects))

    found = {(d.policyName, d.urn) for d in diagnostics}
    assert ("K8S-16", planned(outside, "host").urn) in found


def test_a_waived_violation_is_reported_by_the_advisory_policy(pack: Any) -> None:
    cluster = "digitalocean:index/databaseCluster:DatabaseCluster"
    names = ("database-cluster", "another")
    diagnostics = _analyze_stack(pack, *(_resource(cluster, name) for name in names))

    found = {(d.policyName, d.urn, d.enforcementLevel) for d in diagnostics}
    assert found == {
        ("DO-DB-02-waived", planned(cluster, "database-cluster").urn, analyzer_pb2.ADVISORY),
        ("DO-DB-02", planned(cluster, "another").urn, analyzer_pb2.MANDATORY),
    }
    (waived,) = (d for d in diagnostics if d.policyName == "DO-DB-02-waived")
    assert f"Waived until {WAIVERS[0].expires}: {WAIVERS[0].reason}" in waived.message


def test_the_pack_loads_no_sdk_of_a_cloud() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, policies.pack; print(*sys.modules)"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert "policies.pack" in loaded
    heavy = ("pulumi_aws", "pulumi_digitalocean", "components", "stacks", "analysis")
    assert [name for name in loaded if name.partition(".")[0] in heavy] == []
