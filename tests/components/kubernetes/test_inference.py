"""A model on GPU nodes: placement, isolation, drain, and the network."""

import inspect
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import kubernetes_validate
import pytest

from components.contracts import ServiceExposure
from components.kubernetes.base.images import GATEWAY, ROUTER, VLLM, VLLM_ROCM
from components.kubernetes.monitoring.replica_monitor import REPLICA_MONITOR
from components.kubernetes.programs import replica
from components.kubernetes.serving import gateway, model_server
from components.kubernetes.serving.model_spec import ModelSpec
from functions.inference.canary_prompt import CODE
from policies.catalogue import RULES
from policies.evaluation import evaluate
from policies.resource import SECRET, Resource, name_of
from tests.support.accounts.kubernetes import SMALL, WIDE, manifest, model, objects

KUBERNETES = "1.36"
SPECS = pytest.mark.parametrize(
    "spec",
    [SMALL, replace(SMALL, maximum=3), WIDE],
    ids=["one replica", "three replicas", "two nodes"],
)


@cache
def planned(spec: ModelSpec = SMALL, **cluster: Any) -> list[Resource]:
    return objects(lambda: model("model", spec, token="hf_token", **cluster))


def one(resources: list[Resource], kind: str, name: str) -> dict[str, Any]:
    (found,) = [r for r in resources if r.inputs.get("kind") == kind and r.name == name]
    return manifest(found)


def pod_specs(resources: list[Resource]) -> dict[str, dict[str, Any]]:
    specs = {}
    for resource in resources:
        spec = resource.inputs.get("spec", {})
        if resource.inputs.get("kind") in ("Deployment", "Job"):
            specs[resource.name] = spec["template"]["spec"]
        elif resource.inputs.get("kind") == "LeaderWorkerSet":
            for role in ("leaderTemplate", "workerTemplate"):
                specs[role] = spec["leaderWorkerTemplate"][role]["spec"]
    return specs


def server(spec: ModelSpec = SMALL, **cluster: Any) -> dict[str, Any]:
    """The container of a model server."""
    (found,) = pod_specs(planned(spec, **cluster))["model-server"]["containers"]
    container: dict[str, Any] = found
    return container


def policies(resources: list[Resource]) -> dict[str, dict[str, Any]]:
    """Specs of the NetworkPolicies."""
    return {r.name: r.inputs["spec"] for r in resources if r.inputs.get("kind") == "NetworkPolicy"}


def sources(policy: dict[str, Any]) -> list[dict[str, str]]:
    """Labels of the pods that a policy lets in."""
    (rule,) = policy["ingress"]
    return [source["podSelector"]["matchLabels"] for source in rule["from"]]


@SPECS
def test_every_object_of_kubernetes_own_is_valid(spec: ModelSpec) -> None:
    for body in map(manifest, planned(spec)):
        group = body.get("apiVersion", "").partition("/")[0]
        custom = "." in group and not group.endswith(".k8s.io")
        # tests/cluster gives custom resources to an API server.
        if "kind" in body and not custom and body["kind"] != "LeaderWorkerSet":
            kubernetes_validate.validate(body, KUBERNETES, strict=True)


@SPECS
def test_no_policy_is_violated(spec: ModelSpec) -> None:
    found = evaluate(RULES, planned(spec), environment="prod", today=date(2026, 11, 22))
    assert [(v.id, name_of(v.resource), v.message) for v in found] == []


def test_weights_without_a_pinned_revision_violate_a_policy() -> None:
    found = evaluate(
        RULES, planned(replace(SMALL, revision=None)), environment="dev", today=date(2026, 11, 22)
    )
    assert [(v.id, name_of(v.resource)) for v in found] == [("K8S-21", "model-weights-download")]


def test_the_server_and_nothing_else_runs_on_gpu_nodes() -> None:
    placed = {name: spec for name, spec in pod_specs(planned()).items() if "nodeSelector" in spec}
    assert placed.keys() == {"model-server"}
    assert placed["model-server"]["nodeSelector"] == {"seamless.dev/pool": "gpu"}
    (toleration,) = placed["model-server"]["tolerations"]
    assert toleration["key"] == "nvidia.com/gpu"
    assert server()["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_an_amd_gpu_has_its_own_resource_taint_and_image() -> None:
    amd = replace(SMALL, vendor="amd")
    resources = planned(amd, gpu_taint="amd.com/gpu", gpu_resource="amd.com/gpu")
    spec = pod_specs(resources)["model-server"]
    assert spec["containers"][0]["image"] == VLLM_ROCM.reference
    assert spec["containers"][0]["resources"]["limits"]["amd.com/gpu"] == "1"
    assert [toleration["key"] for toleration in spec["tolerations"]] == ["amd.com/gpu"]


def test_the_server_s_user_is_in_the_group_that_may_open_gpu_devices() -> None:
    def groups(device_group: int) -> list[int] | None:
        specs = pod_specs(planned(replace(SMALL, vendor="amd", device_group=device_group)))
        found: list[int] | None = specs["model-server"]["securityContext"].get("supplementalGroups")
        return found

    assert groups(106) == [106]
    assert groups(0) is None


def test_where_gpus_are_claimed_each_pod_gets_a_claim_of_its_own() -> None:
    claimed = planned(gpu_resource="", gpu_device_class="gpu.nvidia.com")
    spec = pod_specs(claimed)["model-server"]
    resources = spec["containers"][0]["resources"]
    assert resources["claims"] == [{"name": "gpu"}]
    assert "nvidia.com/gpu" not in resources["limits"]
    template = one(claimed, "ResourceClaimTemplate", "model-server")
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"] == {"deviceClassName": "gpu.nvidia.com", "count": 1}
    (claim,) = spec["resourceClaims"]
    assert claim["resourceClaimTemplateName"] == template["metadata"]["name"]
    kubernetes_validate.validate(template, KUBERNETES, strict=True)


def test_the_server_has_the_logical_name_and_the_sized_context() -> None:
    assert {
        "--served-model-name=llama-3.1-8b",
        "--max-model-len=16384",
        "--max-num-seqs=16",
    } <= set(server()["args"])


def test_every_pod_passes_the_level_restricted() -> None:
    for name, spec in {**pod_specs(planned()), **pod_specs(planned(WIDE))}.items():
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostIPC", "hostPID"} & spec.keys(), name
        assert not any("hostPath" in volume for volume in spec["volumes"]), name
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }, name


def test_only_the_replica_monitor_gets_a_service_account_token() -> None:
    for name, spec in pod_specs(planned()).items():
        assert spec["enableServiceLinks"] is False, name
        assert spec["automountServiceAccountToken"] is (name == "model-replica-monitor"), name


def test_images_are_pinned_by_digest() -> None:
    images = {
        container["image"]
        for spec in pod_specs(planned()).values()
        for container in spec["containers"]
    }
    assert images == {VLLM.reference, GATEWAY.reference, ROUTER.reference}
    assert all("@sha256:" in image for image in images)


def test_a_pod_has_time_to_finish_open_requests() -> None:
    spec = pod_specs(planned())["model-server"]
    assert f"--shutdown-timeout={model_server.DRAIN_SECONDS}" in server()["args"]
    wait = server()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > wait + model_server.DRAIN_SECONDS
    assert gateway.DRAIN_SECONDS > model_server.DRAIN_SECONDS


def test_a_start_may_take_as_long_as_its_rollout() -> None:
    probe = server()["startupProbe"]
    limit = probe["periodSeconds"] * probe["failureThreshold"]
    rollout = one(planned(), "Deployment", "model-server")["spec"]["progressDeadlineSeconds"]
    assert limit == rollout == 3600


def test_only_these_connections_are_open_in_the_namespace() -> None:
    found = policies(planned())
    assert found.pop("model-deny-all") == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert sorted(found) == [
        "model-dns",
        "model-gateway-callers",
        "model-gateway-models",
        "model-gateway-replica-monitor",
        "model-monitoring-prometheus",
        "model-monitoring-replica-monitor-prometheus",
        "model-replica-monitor-api-443",
        "model-replica-monitor-api-6443",
        "model-replica-monitor-callers",
        "model-replica-monitor-replicas",
        "model-server-callers",
        "model-smoke-test-egress",
        "model-smoke-test-ingress",
        "model-weights-download",
    ]
    assert sources(found["model-server-callers"]) == [gateway.GATEWAY, REPLICA_MONITOR]
    assert sources(found["model-replica-monitor-callers"]) == [gateway.GATEWAY]
    (callers,) = found["model-gateway-callers"]["ingress"]
    assert callers["from"] == [{"ipBlock": {"cidr": "10.20.0.0/16"}}]
    (download,) = found["model-weights-download"]["egress"]
    assert "169.254.169.254/32" in download["to"][0]["ipBlock"]["except"]


def test_only_the_download_has_the_hugging_face_token() -> None:
    holders = {
        name
        for name, spec in pod_specs(planned()).items()
        for variable in spec["containers"][0].get("env", [])
        if variable["name"] == "HF_TOKEN"
    }
    assert holders == {"model-weights-download"}
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in server()["env"]


def test_the_data_of_every_secret_is_secret() -> None:
    secrets = {r.name: r for r in planned() if r.inputs.get("kind") == "Secret"}
    assert secrets.keys() >= {
        "model-weights-token",
        "model-server-key",
        "model-gateway",
        "model-smoke-test",
    }
    assert all(r.inputs["stringData"] == SECRET for r in secrets.values())


def test_a_replica_of_two_nodes_is_a_group_whose_leader_answers() -> None:
    resources = planned(WIDE)
    group = one(resources, "LeaderWorkerSet", "model-server")["spec"]["leaderWorkerTemplate"]
    assert group["size"] == 2
    assert group["restartPolicy"] == "RecreateGroupOnPodRestart"
    leader = group["leaderTemplate"]["spec"]["containers"][0]["args"]
    worker = group["workerTemplate"]["spec"]["containers"][0]
    assert "--pipeline-parallel-size=2" in leader
    assert "--headless" not in leader
    assert worker["args"] == [*leader, "--headless"]
    assert "readinessProbe" not in worker
    assert one(resources, "Service", "model-server")["spec"]["selector"] == model_server.SERVING
    assert group["leaderTemplate"]["metadata"]["labels"] == model_server.SERVING
    assert group["workerTemplate"]["metadata"]["labels"][model_server.ROLE] == "worker"


def test_the_gateway_uses_a_given_node_port_or_waits_for_the_cloud_s_address() -> None:
    given = one(planned(), "Service", "model-gateway")["spec"]
    assert given["type"] == "NodePort"
    assert given["ports"][0]["nodePort"] == 30443

    exposure = ServiceExposure(
        service_type="LoadBalancer", annotations={}, node_port=None, address=None, sources=[]
    )
    assigned = objects(lambda: model("model", exposure=exposure))
    assert one(assigned, "Service", "model-gateway")["metadata"]["annotations"] == {
        "pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"
    }
    (from_anywhere,) = policies(assigned)["model-gateway-callers"]["ingress"]
    assert "from" not in from_anywhere


def test_several_replicas_have_a_router_that_knows_their_caches() -> None:
    resources = planned(replace(SMALL, maximum=3))
    (router,) = pod_specs(resources)["model-router"]["containers"]
    assert {
        "--routing-logic=prefixaware",
        "--k8s-label-selector=app.kubernetes.io/name=model-server,seamless.dev/role=leader"
        ",seamless.dev/serves=yes",
    } <= set(router["args"])
    (rule,) = one(resources, "Role", "model-router")["rules"]
    assert (rule["resources"], rule["verbs"]) == (["pods"], ["get", "list", "watch"])
    found = policies(resources)
    assert sources(found["model-server-callers"]) == [
        {"app.kubernetes.io/name": "router"},
        REPLICA_MONITOR,
    ]
    (upstream,) = found["model-gateway-models"]["egress"]
    assert upstream["ports"] == [{"protocol": "TCP", "port": 8001}]


def test_the_smoke_test_goes_through_the_gateway_with_its_key_in_a_file() -> None:
    (container,) = pod_specs(planned())["model-smoke-test"]["containers"]
    command = container["command"][2]
    assert "--header @/request/headers" in command
    assert "--cacert /request/ca.crt" in command
    assert CODE in command
    assert [variable["name"] for variable in container["env"]] == ["GATEWAY", "URL"]


def test_every_answer_names_its_replica() -> None:
    assert "--middleware=replica.ReplicaHeader" in server()["args"]
    env = {variable["name"]: variable for variable in server()["env"]}
    assert env["POD_NAME"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    mounted = one(planned(), "ConfigMap", "model-server-middleware")["data"]
    assert mounted == {"replica.py": inspect.getsource(replica)}
    mounts = {mount["name"]: mount["mountPath"] for mount in server()["volumeMounts"]}
    assert env["PYTHONPATH"]["value"] == mounts["middleware"]


def test_a_pod_that_lost_its_label_gets_no_requests_and_keeps_its_place() -> None:
    deployment = one(planned(), "Deployment", "model-server")["spec"]
    assert deployment["selector"] == {"matchLabels": model_server.LEADER}
    assert deployment["template"]["metadata"]["labels"] == model_server.SERVING
    assert one(planned(), "Service", "model-server")["spec"]["selector"] == model_server.SERVING


def test_the_replica_monitor_may_change_pods_and_its_own_state_alone() -> None:
    pods, state = one(planned(), "Role", "model-replica-monitor")["rules"]
    assert (pods["resources"], pods["verbs"]) == (["pods"], ["list", "patch", "delete"])
    assert (state["resources"], state["verbs"]) == (["configmaps"], ["get", "patch"])
    assert state["resourceNames"] == ["model-replica-monitor-state-00000000"]


def test_the_volume_outlives_its_claim_and_has_room_for_the_next_model() -> None:
    volume = one(planned(replace(SMALL, weights_gib=65)), "PersistentVolume", "model-weights")
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert volume["spec"]["capacity"] == {"storage": "140Gi"}
    assert volume["spec"]["nfs"] == {"server": "10.20.0.9", "path": "/weights"}


def test_replicas_cannot_change_the_weights() -> None:
    volumes = {volume["name"]: volume for volume in pod_specs(planned())["model-server"]["volumes"]}
    assert volumes["weights"]["persistentVolumeClaim"] == {
        "claimName": "model-weights-00000000",
        "readOnly": True,
    }
    assert {"name": "weights", "mountPath": "/weights", "readOnly": True} in server()[
        "volumeMounts"
    ]
