"""The pack as the engine meets it: a process that speaks the analyzer protocol."""

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
    """A client of the pack, which was started in its own folder and without our search path."""
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


def test_the_engine_learns_of_every_rule(pack: Any) -> None:
    """With its level, its severity and its remedy; waived violations have a policy that advises."""
    info = pack.GetAnalyzerInfo(Empty())

    told = {policy.name: policy for policy in info.policies}
    assert set(told) == {r.id for r in RULES} | {f"{w.policy}-waived" for w in WAIVERS}
    for rule in RULES:
        assert told[rule.id].enforcementLevel == analyzer_pb2.MANDATORY
        assert told[rule.id].remediation_steps == rule.remedy
        assert told[rule.id].url.startswith("https://")
    assert told["DO-DB-02-waived"].enforcementLevel == analyzer_pb2.ADVISORY
    assert told["X-02"].severity == analyzer_pb2.POLICY_SEVERITY_CRITICAL


@pytest.mark.parametrize("environment", ["dev", "unprotected"])
def test_the_configuration_lowers_what_is_mandatory_in_prod_only(environment: Environment) -> None:
    """The file that preview and up hand to the engine."""
    (file,) = pack_options(environment)["policy_pack_configs"]

    assert json.loads(Path(file).read_text()) == {
        rule.id: "advisory" for rule in RULES if not is_mandatory(rule, environment)
    }
    assert all(is_mandatory(rule, "prod") for rule in RULES)
    assert pack_options("prod")["policy_pack_configs"] == []


def test_a_secret_that_is_marked_passes_and_a_plain_one_is_named_without_its_value(
    pack: Any,
) -> None:
    """The mark must survive the way through pulumi-policy."""
    assert _analyze(pack, "any:index:Thing", {"password": SECRET}) == []

    ((rule, message),) = _analyze(pack, "any:index:Thing", {"password": "tulips-in-may"})

    assert rule == "X-02"
    assert "password is named like a secret" in message
    assert "tulips" not in message
    assert message.splitlines()[-1] == next(r.remedy for r in RULES if r.id == "X-02")


def test_what_is_not_known_before_deployment_breaks_nothing(pack: Any) -> None:
    """No violation, and no note that a rule could not run."""
    props = {"publiclyAccessible": rpc.UNKNOWN, "storageEncrypted": rpc.UNKNOWN, "name": "db"}

    found = _analyze(pack, "aws:rds/instance:Instance", props)

    assert [rule for rule, _ in found] == ["X-01"]


def test_rules_about_resources_together_follow_what_a_property_is_made_from(pack: Any) -> None:
    """A block whose bucket is unknown belongs to the bucket that it depends on."""
    switches = (
        "blockPublicAcls",
        "blockPublicPolicy",
        "ignorePublicAcls",
        "restrictPublicBuckets",
    )
    bucket = "aws:s3/bucket:Bucket"
    block = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    resource = analyzer_pb2.AnalyzerResource
    made_from = analyzer_pb2.AnalyzerPropertyDependencies(urns=[planned(bucket, "closed").urn])
    answer = pack.AnalyzeStack(
        analyzer_pb2.AnalyzeStackRequest(
            resources=[
                resource(type=bucket, urn=planned(bucket, name).urn, name=name)
                for name in ("closed", "open")
            ]
            + [
                resource(
                    type=block,
                    urn=planned(block, "block").urn,
                    name="block",
                    properties=_struct(dict.fromkeys(switches, True) | {"bucket": rpc.UNKNOWN}),
                    propertyDependencies={"bucket": made_from},
                )
            ]
        )
    )

    assert [d.urn for d in answer.diagnostics if d.policyName == "AWS-S3-01"] == [
        planned(bucket, "open").urn
    ]


def test_rules_about_resources_together_see_what_is_asked_of_a_cluster_that_is_not_there_yet(
    pack: Any,
) -> None:
    """The engine has no properties of them, so that every model server would seem open, or none."""
    server, outside = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"
    template = {
        "metadata": {"labels": {"app": "vllm"}},
        "spec": {"containers": [{"name": "server", "command": ["vllm", "serve"]}]},
    }
    asked: dict[str, dict[str, Any]] = {
        server: {"spec": {"template": template}},
        outside: {"spec": {"type": "LoadBalancer", "selector": {"app": "vllm"}}},
    }
    for token, props in asked.items():
        pack.Analyze(
            analyzer_pb2.AnalyzeRequest(
                type=token, urn=planned(token, "new").urn, name="new", properties=_struct(props)
            )
        )
    answer = pack.AnalyzeStack(
        analyzer_pb2.AnalyzeStackRequest(
            resources=[
                analyzer_pb2.AnalyzerResource(type=token, urn=planned(token, "new").urn, name="new")
                for token in asked
            ]
        )
    )

    found = {(d.policyName, d.urn) for d in answer.diagnostics}
    assert ("K8S-16", planned(outside, "new").urn) in found


def test_a_waived_breach_is_reported_by_the_policy_that_advises(pack: Any) -> None:
    """And by no other; the message holds the reason."""
    cluster = "digitalocean:index/databaseCluster:DatabaseCluster"
    answer = pack.AnalyzeStack(
        analyzer_pb2.AnalyzeStackRequest(
            resources=[
                analyzer_pb2.AnalyzerResource(
                    type=cluster, urn=planned(cluster, name).urn, name=name
                )
                for name in ("database-cluster", "another")
            ]
        )
    )

    found = {(d.policyName, d.urn, d.enforcementLevel) for d in answer.diagnostics}
    assert found == {
        ("DO-DB-02-waived", planned(cluster, "database-cluster").urn, analyzer_pb2.ADVISORY),
        ("DO-DB-02", planned(cluster, "another").urn, analyzer_pb2.MANDATORY),
    }
    (waived,) = (d for d in answer.diagnostics if d.policyName == "DO-DB-02-waived")
    assert f"Waived until {WAIVERS[0].expires}: {WAIVERS[0].reason}" in waived.message


def test_the_pack_loads_no_cloud() -> None:
    """It is a process at every preview and up: it must start quickly."""
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
