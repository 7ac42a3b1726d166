"""A model on GPU nodes: placement, isolation, shutdown and network."""

import inspect
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import kubernetes_validate
import pytest

from components.contracts import ServiceExposure
from components.kubernetes.base.images import VLLM_ROCM
from components.kubernetes.monitoring.replica_monitor import REPLICA_MONITOR
from components.kubernetes.programs import replica
from components.kubernetes.serving import gateway, model_server
from components.kubernetes.serving.model_spec import ModelSpec
from functions.inference.canary_prompt import CODE
from policies.catalogue import RULES
from policies.evaluation import evaluate
from policies.resource import SECRET, Resource, name_of
from tests.support.accounts.kubernetes import SMALL, WIDE, manifest, model, objects, one

KUBERNETES = "1.36"
SPECS = pytest.mark.parametrize(
    "spec",
    [SMALL, replace(SMALL, maximum=3), WIDE],
    ids=["one replica", "three replicas", "two nodes"],
)


@cache
def planned(spec: ModelSpec = SMALL, **cluster: Any) -> list[Resource]:
    return objects(lambda: model("model", spec, token="hf_token", **cluster))


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
    container: dict[str, Any]
    (container,) = pod_specs(planned(spec, **cluster))["model-server"]["containers"]
    return container


def policies(resources: list[Resource]) -> dict[str, dict[str, Any]]:
    return {r.name: r.inputs["spec"] for r in resources if r.inputs.get("kind") == "NetworkPolicy"}


def sources(policy: dict[str, Any]) -> list[dict[str, str]]:
    """Labels of the pods that a policy lets in."""
    (rule,) = policy["ingress"]
    return [source["podSelector"]["matchLabels"] for source in rule["from"]]


@SPECS
def test_built_in_objects_match_the_schema_of_kubernetes(spec: ModelSpec) -> None:
    for body in map(manifest, planned(spec)):
        group = body.get("apiVersion", "").partition("/")[0]
        custom = "." in group and not group.endswith(".k8s.io")
        # tests/cluster gives custom resources to an API server.
        if "kind" in body and not custom and body["kind"] != "LeaderWorkerSet":
            kubernetes_validate.validate(body, KUBERNETES, strict=True)


@SPECS
def test_all_policies_are_met_in_prod(spec: ModelSpec) -> None:
    found = evaluate(RULES, planned(spec), environment="prod", today=date(2026, 11, 22))
    assert [(v.id, name_of(v.resource), v.message) for v in found] == []


def test_weights_without_a_revision_violate_a_policy() -> None:
    found = evaluate(
        RULES, planned(replace(SMALL, revision=None)), environment="dev", today=date(2026, 11, 22)
    )
    assert [(v.id, name_of(v.resource)) for v in found] == [("K8S-21", "model-weights-download")]


def test_only_the_model_server_runs_on_gpu_nodes() -> None:
    placed = {name: spec for name, spec in pod_specs(planned()).items() if "nodeSelector" in spec}
    assert placed.keys() == {"model-server"}
    assert placed["model-server"]["nodeSelector"] == {"seamless.dev/pool": "gpu"}
    (toleration,) = placed["model-server"]["tolerations"]
    assert toleration["key"] == "nvidia.com/gpu"
    assert server()["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_an_amd_gpu_has_its_resource_taint_and_image() -> None:
    amd = replace(SMALL, vendor="amd")
    resources = planned(amd, gpu_taint="amd.com/gpu", gpu_resource="amd.com/gpu")
    spec = pod_specs(resources)["model-server"]
    assert spec["containers"][0]["image"] == VLLM_ROCM.reference
    assert spec["containers"][0]["resources"]["limits"]["amd.com/gpu"] == "1"
    assert [toleration["key"] for toleration in spec["tolerations"]] == ["amd.com/gpu"]


def test_the_model_server_has_the_group_of_the_gpu_devices() -> None:
    for device_group, groups in ((106, [106]), (0, None)):
        specs = pod_specs(planned(replace(SMALL, vendor="amd", device_group=device_group)))
        assert specs["model-server"]["securityContext"].get("supplementalGroups") == groups


def test_each_pod_has_its_own_resource_claim_with_device_classes() -> None:
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


def test_the_model_server_has_the_logical_name_and_the_sized_context() -> None:
    assert {
        "--served-model-name=llama-3.1-8b",
        "--max-model-len=16384",
        "--max-num-seqs=16",
    } <= set(server()["args"])


def test_every_pod_meets_the_restricted_pod_security_standard() -> None:
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


def test_only_the_replica_monitor_has_a_service_account_token() -> None:
    for name, spec in pod_specs(planned()).items():
        assert spec["enableServiceLinks"] is False, name
        assert spec["automountServiceAccountToken"] is (name == "model-replica-monitor"), name


def test_images_are_pinned_by_digest() -> None:
    for spec in pod_specs(planned()).values():
        assert all("@sha256:" in container["image"] for container in spec["containers"])


def test_a_pod_completes_open_requests_before_it_ends() -> None:
    spec = pod_specs(planned())["model-server"]
    assert f"--shutdown-timeout={model_server.DRAIN_SECONDS}" in server()["args"]
    wait = server()["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > wait + model_server.DRAIN_SECONDS
    assert gateway.DRAIN_SECONDS > model_server.DRAIN_SECONDS


def test_the_startup_probe_and_the_rollout_have_the_same_limit() -> None:
    probe = server()["startupProbe"]
    limit = probe["periodSeconds"] * probe["failureThreshold"]
    rollout = one(planned(), "Deployment", "model-server")["spec"]["progressDeadlineSeconds"]
    assert limit == rollout == 3600


def test_network_policies_open_only_the_path_of_a_request() -> None:
    found = policies(planned())
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
    secrets = [r.inputs for r in planned() if r.inputs.get("kind") == "Secret"]
    assert len(secrets) >= 4
    assert all(inputs["stringData"] == SECRET for inputs in secrets)


def test_a_replica_of_two_nodes_is_a_group_whose_leader_serves_requests() -> None:
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


def test_the_gateway_has_a_node_port_or_waits_for_the_address_of_the_cloud() -> None:
    with_port = one(planned(), "Service", "model-gateway")["spec"]
    assert with_port["type"] == "NodePort"
    assert with_port["ports"][0]["nodePort"] == 30443

    exposure = ServiceExposure(
        service_type="LoadBalancer", annotations={}, node_port=None, address=None, sources=[]
    )
    assigned = objects(lambda: model("model", exposure=exposure))
    assert one(assigned, "Service", "model-gateway")["metadata"]["annotations"] == {
        "pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"
    }
    (from_anywhere,) = policies(assigned)["model-gateway-callers"]["ingress"]
    assert "from" not in from_anywhere


def test_several_replicas_have_a_router_with_prefix_aware_routing() -> None:
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


def test_the_smoke_test_calls_the_gateway_with_the_key_in_a_file() -> None:
    (container,) = pod_specs(planned())["model-smoke-test"]["containers"]
    command = container["command"][2]
    assert "--header @/request/headers" in command
    assert "--cacert /request/ca.crt" in command
    assert CODE in command
    assert [variable["name"] for variable in container["env"]] == ["GATEWAY", "URL"]


def test_the_middleware_adds_the_name_of_the_replica() -> None:
    assert "--middleware=replica.ReplicaHeader" in server()["args"]
    env = {variable["name"]: variable for variable in server()["env"]}
    assert env["POD_NAME"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    mounted = one(planned(), "ConfigMap", "model-server-middleware")["data"]
    assert mounted == {"replica.py": inspect.getsource(replica)}
    mounts = {mount["name"]: mount["mountPath"] for mount in server()["volumeMounts"]}
    assert env["PYTHONPATH"]["value"] == mounts["middleware"]


def test_a_pod_without_the_label_gets_no_requests_and_stays_in_the_deployment() -> None:
    deployment = one(planned(), "Deployment", "model-server")["spec"]
    assert deployment["selector"] == {"matchLabels": model_server.LEADER}
    assert deployment["template"]["metadata"]["labels"] == model_server.SERVING
    assert one(planned(), "Service", "model-server")["spec"]["selector"] == model_server.SERVING


def test_the_replica_monitor_changes_only_pods_and_its_own_state() -> None:
    pods, state = one(planned(), "Role", "model-replica-monitor")["rules"]
    assert (pods["resources"], pods["verbs"]) == (["pods"], ["list", "patch", "delete"])
    assert (state["resources"], state["verbs"]) == (["configmaps"], ["get", "patch"])
    assert state["resourceNames"] == ["model-replica-monitor-state-00000000"]


def test_the_volume_is_retained_and_has_room_for_a_second_model() -> None:
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
