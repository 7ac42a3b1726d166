"""Proves what a model on GPU nodes consists of: placement, isolation, drain, and who may talk."""

import inspect
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import kubernetes_validate
import pytest

from components.contracts import Entrance
from components.kubernetes import gateway, model_server
from components.kubernetes.examiner import EXAMINER
from components.kubernetes.images import GATEWAY, ROUTER, VLLM, VLLM_ROCM
from components.kubernetes.inside import replica
from components.kubernetes.serving import Serving
from functions.question import CODE
from policies.catalogue import RULES
from policies.verdict import judge
from resources import SECRET, Resource, name_of
from tests.components.kubernetes.cluster import SMALL, WIDE, manifest, model, objects

KUBERNETES = "1.36"
WORKLOADS = {"Deployment", "Job"}


@cache
def asked(serving: Serving = SMALL, **cluster: Any) -> list[Resource]:
    return objects(lambda: model("model", serving, token="hf_token", **cluster))


def one(resources: list[Resource], kind: str, name: str) -> dict[str, Any]:
    (found,) = [r for r in resources if r.inputs.get("kind") == kind and r.name == name]
    return manifest(found)


def of_kubernetes(body: dict[str, Any]) -> bool:
    """True for an object of Kubernetes itself; tests/cluster gives the others to an API server."""
    group = body.get("apiVersion", "").partition("/")[0]
    return (
        "kind" in body
        and ("." not in group or group.endswith(".k8s.io"))
        and (body["kind"] != "LeaderWorkerSet")
    )


def pod_specs(resources: list[Resource]) -> dict[str, dict[str, Any]]:
    specs = {}
    for resource in resources:
        spec = resource.inputs.get("spec", {})
        if resource.inputs.get("kind") in WORKLOADS:
            specs[resource.name] = spec["template"]["spec"]
        elif resource.inputs.get("kind") == "LeaderWorkerSet":
            for role in ("leaderTemplate", "workerTemplate"):
                specs[role] = spec["leaderWorkerTemplate"][role]["spec"]
    return specs


@pytest.mark.parametrize("serving", [SMALL, WIDE], ids=["one node", "two nodes"])
def test_every_object_is_what_kubernetes_defines_without_an_unknown_field(
    serving: Serving,
) -> None:
    own = [body for body in map(manifest, asked(serving)) if of_kubernetes(body)]
    assert len(own) == (46 if serving.nodes == 1 else 47)
    for body in own:
        kubernetes_validate.validate(body, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    "serving",
    [SMALL, replace(SMALL, maximum=3), WIDE],
    ids=["one replica", "three replicas", "two nodes"],
)
def test_every_rule_about_kubernetes_holds(serving: Serving) -> None:
    found = judge(RULES, asked(serving), environment="prod", today=date(2026, 11, 22))
    assert [(v.id, name_of(v.resource), v.message) for v in found] == []


def test_weights_of_no_pinned_revision_break_a_rule() -> None:
    found = judge(
        RULES, asked(replace(SMALL, revision=None)), environment="dev", today=date(2026, 11, 22)
    )
    assert [(v.id, name_of(v.resource)) for v in found] == [("K8S-21", "model-weights-download")]


def test_the_server_runs_on_gpu_nodes_and_on_no_other() -> None:
    spec = pod_specs(asked())["model-server"]
    assert spec["nodeSelector"] == {"seamless.dev/pool": "gpu"}
    assert spec["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    (server,) = spec["containers"]
    assert server["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "nodeSelector" not in pod_specs(asked())["model-gateway"]


def test_another_vendor_s_gpu_is_asked_for_by_its_own_name_and_served_by_its_own_image() -> None:
    amd = replace(SMALL, vendor="amd")
    spec = pod_specs(asked(amd, gpu_taint="amd.com/gpu", gpu_resource="amd.com/gpu"))[
        "model-server"
    ]
    assert spec["containers"][0]["image"] == VLLM_ROCM.reference
    assert spec["containers"][0]["resources"]["limits"]["amd.com/gpu"] == "1"
    assert [toleration["key"] for toleration in spec["tolerations"]] == ["amd.com/gpu"]


def test_a_server_that_is_not_root_is_in_the_group_that_may_open_the_devices() -> None:
    grouped = replace(SMALL, vendor="amd", device_group=106)
    security = pod_specs(asked(grouped))["model-server"]["securityContext"]
    assert security["supplementalGroups"] == [106]
    assert "supplementalGroups" not in pod_specs(asked())["model-server"]["securityContext"]


def test_where_devices_are_claimed_each_pod_gets_a_claim_of_its_own() -> None:
    claimed = asked(gpu_resource="", gpu_device_class="gpu.nvidia.com")
    spec = pod_specs(claimed)["model-server"]
    (server,) = spec["containers"]
    assert server["resources"]["claims"] == [{"name": "gpu"}]
    assert "nvidia.com/gpu" not in server["resources"]["limits"]
    template = one(claimed, "ResourceClaimTemplate", "model-server")
    assert template["spec"]["spec"]["devices"]["requests"] == [
        {"name": "gpu", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 1}}
    ]
    assert spec["resourceClaims"] == [
        {"name": "gpu", "resourceClaimTemplateName": template["metadata"]["name"]}
    ]
    kubernetes_validate.validate(template, KUBERNETES, strict=True)


def test_clients_ask_for_the_logical_name_and_get_the_context_that_was_sized() -> None:
    (server,) = pod_specs(asked())["model-server"]["containers"]
    assert server["args"][:4] == [
        "/weights/llama-3.1-8b",
        "--served-model-name=llama-3.1-8b",
        "--max-model-len=16384",
        "--max-num-seqs=16",
    ]


def test_every_pod_passes_the_level_restricted() -> None:
    for name, spec in {**pod_specs(asked()), **pod_specs(asked(WIDE))}.items():
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


def test_no_pod_but_the_examiner_s_gets_kubernetes_variables_or_a_service_account_token() -> None:
    for name, spec in pod_specs(asked()).items():
        assert spec["enableServiceLinks"] is False, name
        assert spec["automountServiceAccountToken"] is (name == "model-examiner"), name


def test_images_are_pinned_by_digest() -> None:
    images = {
        container["image"]
        for spec in pod_specs(asked()).values()
        for container in spec["containers"]
    }
    assert images == {VLLM.reference, GATEWAY.reference, ROUTER.reference}
    assert all("@sha256:" in image for image in images)


def test_a_pod_has_time_to_finish_what_it_answers() -> None:
    spec = pod_specs(asked())["model-server"]
    (server,) = spec["containers"]
    assert f"--shutdown-timeout={model_server.DRAIN_SECONDS}" in server["args"]
    wait = server["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert spec["terminationGracePeriodSeconds"] > wait + model_server.DRAIN_SECONDS
    assert gateway.DRAIN_SECONDS > model_server.DRAIN_SECONDS


def test_a_start_has_as_long_as_the_engine_waits_for_it() -> None:
    (server,) = pod_specs(asked())["model-server"]["containers"]
    probe = server["startupProbe"]
    patience = probe["periodSeconds"] * probe["failureThreshold"]
    deployment = one(asked(), "Deployment", "model-server")
    assert patience == deployment["spec"]["progressDeadlineSeconds"] == 3600


def test_the_namespace_is_closed_but_for_the_ways_that_are_needed() -> None:
    policies = {
        r.name: r.inputs["spec"] for r in asked() if r.inputs.get("kind") == "NetworkPolicy"
    }
    assert policies.pop("model-closed") == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    assert sorted(policies) == [
        "model-canary-in",
        "model-canary-out",
        "model-dns",
        "model-examiner-api-443",
        "model-examiner-api-6443",
        "model-examiner-callers",
        "model-examiner-replicas",
        "model-gateway-callers",
        "model-gateway-examiner",
        "model-gateway-models",
        "model-server-callers",
        "model-watching-examiner-prometheus",
        "model-watching-prometheus",
        "model-weights-download",
    ]
    assert policies["model-server-callers"]["ingress"] == [
        {
            "ports": [{"protocol": "TCP", "port": 8000}],
            "from": [
                {"podSelector": {"matchLabels": gateway.GATEWAY}},
                {"podSelector": {"matchLabels": EXAMINER}},
            ],
        }
    ]
    assert policies["model-examiner-callers"]["ingress"][0]["from"] == [
        {"podSelector": {"matchLabels": gateway.GATEWAY}}
    ]
    assert policies["model-gateway-callers"]["ingress"][0]["from"] == [
        {"ipBlock": {"cidr": "10.20.0.0/16"}}
    ]
    (download,) = policies["model-weights-download"]["egress"]
    assert "169.254.169.254/32" in download["to"][0]["ipBlock"]["except"]


def test_only_the_download_holds_the_token_of_the_weights() -> None:
    holders = {
        name
        for name, spec in pod_specs(asked()).items()
        for variable in spec["containers"][0].get("env", [])
        if variable["name"] == "HF_TOKEN"
    }
    assert holders == {"model-weights-download"}
    (server,) = pod_specs(asked())["model-server"]["containers"]
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in server["env"]


def test_secrets_are_marked_and_stand_in_no_argument() -> None:
    secrets = [r for r in asked() if r.inputs.get("kind") == "Secret"]
    assert {r.name for r in secrets} >= {
        "model-weights-token",
        "model-server-key",
        "model-gateway",
        "model-canary",
    }
    assert all(r.inputs["stringData"] == SECRET for r in secrets)


def test_a_replica_of_two_nodes_is_a_group_whose_leader_answers() -> None:
    resources = asked(WIDE)
    group = one(resources, "LeaderWorkerSet", "model-server")["spec"]["leaderWorkerTemplate"]
    assert group["size"] == 2
    assert group["restartPolicy"] == "RecreateGroupOnPodRestart"
    leader = group["leaderTemplate"]["spec"]["containers"][0]["args"]
    worker = group["workerTemplate"]["spec"]["containers"][0]
    assert "--pipeline-parallel-size=2" in leader
    assert "--headless" not in leader
    assert worker["args"] == [*leader, "--headless"]
    assert "readinessProbe" not in worker
    service = one(resources, "Service", "model-server")
    assert service["spec"]["selector"] == model_server.SERVING
    assert group["leaderTemplate"]["metadata"]["labels"] == model_server.SERVING
    assert group["workerTemplate"]["metadata"]["labels"][model_server.ROLE] == "worker"


def test_the_gateway_asks_its_balancer_s_address_of_the_service_where_the_cloud_makes_one() -> None:
    given = one(asked(), "Service", "model-gateway")
    assert given["spec"]["type"] == "NodePort"
    assert given["spec"]["ports"][0]["nodePort"] == 30443

    entrance = Entrance(
        service_type="LoadBalancer", annotations={}, node_port=None, address=None, sources=[]
    )
    unaddressed = objects(lambda: model("model", entrance=entrance))

    made = one(unaddressed, "Service", "model-gateway")
    assert made["metadata"]["annotations"] == {
        "pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"
    }
    callers = one(unaddressed, "NetworkPolicy", "model-gateway-callers")
    assert callers["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": gateway.PORT}]}]


def test_several_replicas_are_reached_by_a_router_that_knows_their_caches() -> None:
    resources = asked(replace(SMALL, maximum=3))
    router = pod_specs(resources)["model-router"]
    (container,) = router["containers"]
    assert "--routing-logic=prefixaware" in container["args"]
    assert (
        "--k8s-label-selector=app.kubernetes.io/name=model-server,seamless.dev/role=leader"
        ",seamless.dev/serves=yes" in container["args"]
    )
    role = one(resources, "Role", "model-router")
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    ]
    policies = {
        r.name: r.inputs["spec"] for r in resources if r.inputs.get("kind") == "NetworkPolicy"
    }
    assert policies["model-server-callers"]["ingress"][0]["from"] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "router"}}},
        {"podSelector": {"matchLabels": EXAMINER}},
    ]
    assert policies["model-gateway-models"]["egress"][0]["ports"] == [
        {"protocol": "TCP", "port": 8001}
    ]
    for body in map(manifest, resources):
        if of_kubernetes(body):
            kubernetes_validate.validate(body, KUBERNETES, strict=True)


def test_a_canary_asks_through_the_gateway_with_its_key_in_a_file() -> None:
    (ask,) = pod_specs(asked())["model-canary"]["containers"]
    assert "--header @/ask/headers" in ask["command"][2]
    assert "--cacert /ask/ca.crt" in ask["command"][2]
    assert CODE in ask["command"][2]
    assert [variable["name"] for variable in ask["env"]] == ["GATEWAY", "URL"]


def test_each_replica_signs_its_answers_and_can_be_taken_out_of_the_service() -> None:
    (server,) = pod_specs(asked())["model-server"]["containers"]
    assert "--middleware=replica.Replica" in server["args"]
    assert {
        "name": "POD_NAME",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
    } in server["env"]
    assert {"name": "PYTHONPATH", "value": "/opt/seamless"} in server["env"]
    mounted = one(asked(), "ConfigMap", "model-server-middleware")["data"]
    assert mounted == {"replica.py": inspect.getsource(replica)}
    # The Deployment keeps a pod that lost the label, which its Service no longer asks.
    deployment = one(asked(), "Deployment", "model-server")["spec"]
    assert deployment["selector"] == {"matchLabels": model_server.LEADER}
    assert deployment["template"]["metadata"]["labels"] == model_server.SERVING
    assert one(asked(), "Service", "model-server")["spec"]["selector"] == model_server.SERVING


def test_the_examiner_may_change_pods_and_its_own_notes_and_nothing_else() -> None:
    assert one(asked(), "Role", "model-examiner")["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch", "delete"]},
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": ["model-examiner-kept-00000000"],
            "verbs": ["get", "patch"],
        },
    ]


def test_the_volume_outlives_its_claim_and_has_room_for_the_next_model() -> None:
    volume = one(asked(replace(SMALL, weights_gib=65)), "PersistentVolume", "model-weights")
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert volume["spec"]["capacity"] == {"storage": "140Gi"}
    assert volume["spec"]["nfs"] == {"server": "10.20.0.9", "path": "/weights"}


def test_replicas_mount_the_weights_and_cannot_change_them() -> None:
    spec = pod_specs(asked())["model-server"]
    assert spec["volumes"][0] == {
        "name": "weights",
        "persistentVolumeClaim": {"claimName": "model-weights-00000000", "readOnly": True},
    }
    assert {"name": "weights", "mountPath": "/weights", "readOnly": True} in spec["containers"][0][
        "volumeMounts"
    ]
