"""vLLM on GPU nodes: the replicas, their Service, and who may talk to them.

Flags and metrics are those of the version in `images.py`; drain and probes follow vLLM's own
Kubernetes guide (vllm-project/vllm#43208, 2026-05).
"""

import inspect
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.kubernetes.devices import Devices, devices
from components.kubernetes.inside import replica
from components.kubernetes.inside.examiner import SERVES
from components.kubernetes.pods import Manifest, container, from_secret, pod, variables
from components.kubernetes.serving import Serving
from components.kubernetes.space import ingress
from components.kubernetes.weights import MOUNT, Weights

PORT = 8000
PRIORITY = 100_000
"""Above everything that has no class of its own, below Kubernetes' system classes."""

PRE_STOP_SECONDS = 15
"""Time in which the endpoint leaves every proxy before the server hears of its end."""
DRAIN_SECONDS = 120
"""A running request may take as long; vLLM's default would cut it off at once."""
MARGIN_SECONDS = 15

LOAD_MINUTES = 60
"""Node, image, weights and compilation before the first answer; then the start has failed."""

WRITABLE = {
    "HOME": "/cache",
    "HF_HOME": "/cache/huggingface",
    "VLLM_CACHE_ROOT": "/cache/vllm",
    "VLLM_CONFIG_ROOT": "/cache/config",
    "TRITON_CACHE_DIR": "/cache/triton",
    "TORCHINDUCTOR_CACHE_DIR": "/cache/inductor",
    "XDG_CACHE_HOME": "/cache/xdg",
    "XDG_CONFIG_HOME": "/cache/config",
    "USER": "vllm",
}
"""Without these a process that is not root stops at /.config or /.triton (llm-d/llm-d#1430)."""

GROUP = ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")
"""What replicas of several nodes are."""

MODEL_SERVER = {"app.kubernetes.io/name": "model-server"}
ROLE = "seamless.dev/role"
LEADER = {**MODEL_SERVER, ROLE: "leader"}
"""The pods that answer; with one node per replica that is every pod."""
SERVING = {**LEADER, SERVES: "yes"}
"""Those of them that may be asked: not one whose answers have drifted (inside/examiner.py)."""

MIDDLEWARE = "/opt/seamless"
"""Where the server finds `inside/replica.py`, which signs every answer."""


class ModelServer(pulumi.ComponentResource):
    """Replicas of one model behind one Service inside the cluster."""

    service: pulumi.Output[str]
    """Name of the Service, in the same namespace."""
    key: pulumi.Output[str]
    """Name of the Secret whose `key` callers need."""
    scaled: Manifest
    """What a ScaledObject points at: apiVersion, kind, name."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        serving: Serving,
        namespace: pulumi.Output[str],
        weights: Weights,
        api_key: pulumi.Output[str],
        callers: Sequence[dict[str, str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: callers: Labels of each kind of pod that may ask it."""
        super().__init__("seamless:kubernetes:ModelServer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        key = kubernetes.core.v1.Secret(
            f"{name}-key",
            metadata={"namespace": namespace},
            string_data={"key": api_key},
            opts=child,
        )
        self.key = key.metadata["name"]
        middleware = kubernetes.core.v1.ConfigMap(
            f"{name}-middleware",
            metadata={"namespace": namespace},
            data={"replica.py": inspect.getsource(replica)},
            opts=child,
        )
        priority = kubernetes.scheduling.v1.PriorityClass(
            f"{name}-serving",
            value=PRIORITY,
            description="Serves requests: batch work and notebooks give way to it.",
            opts=child,
        )
        gpus = devices(name, cluster=cluster, gpus=serving.gpus, namespace=namespace, opts=child)
        template = _pod(
            cluster,
            serving,
            weights,
            self.key,
            middleware.metadata["name"],
            priority.metadata["name"],
            gpus,
        )
        # The engine must not undo what the autoscaler did, nor wait for a GPU that it cannot hurry.
        running = pulumi.ResourceOptions(
            parent=self,
            depends_on=[weights],
            ignore_changes=["spec.replicas"],
            custom_timeouts=pulumi.CustomTimeouts(
                create=f"{LOAD_MINUTES + 30}m", update=f"{LOAD_MINUTES + 30}m"
            ),
        )
        workload: Any
        if serving.nodes == 1:
            workload = kubernetes.apps.v1.Deployment(
                name,
                metadata={"namespace": namespace},
                spec={
                    "replicas": max(1, serving.minimum),
                    "selector": {"matchLabels": LEADER},
                    # A surge pod would wait for a GPU for ever where the pool has no spare one.
                    "strategy": {
                        "type": "RollingUpdate",
                        "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1},
                    },
                    "progressDeadlineSeconds": LOAD_MINUTES * 60,
                    "template": {"metadata": {"labels": SERVING}, "spec": template},
                },
                opts=running,
            )
        else:
            workload = _group(name, serving, namespace, template, running)
            _members(name, namespace, child)
        version, kind = ("apps/v1", "Deployment") if serving.nodes == 1 else GROUP
        self.scaled = {
            "apiVersion": version,
            "kind": kind,
            "name": workload.metadata["name"],
        }
        service = kubernetes.core.v1.Service(
            name,
            metadata={"namespace": namespace, "labels": MODEL_SERVER},
            spec={"selector": SERVING, "ports": [{"name": "http", "port": PORT}]},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[workload]),
        )
        self.service = service.metadata["name"]
        kubernetes.policy.v1.PodDisruptionBudget(
            name,
            metadata={"namespace": namespace},
            # Of one replica too: a budget that allows nothing blocks every upgrade of the nodes.
            spec={"maxUnavailable": 1, "selector": {"matchLabels": LEADER}},
            opts=child,
        )
        ingress(
            f"{name}-callers",
            namespace=namespace,
            to=LEADER,
            port=PORT,
            sources=[{"podSelector": {"matchLabels": labels}} for labels in callers],
            opts=child,
        )
        self.register_outputs({"service": self.service})


def arguments(serving: Serving, path: str) -> list[str]:
    """The flags of `vllm serve`, without any that is its default."""
    parallel = [f"--tensor-parallel-size={serving.gpus}"]
    if serving.nodes > 1:
        parallel += [
            f"--pipeline-parallel-size={serving.nodes}",
            f"--nnodes={serving.nodes}",
            "--node-rank=$(LWS_WORKER_INDEX)",
            "--master-addr=$(LWS_LEADER_ADDRESS)",
        ]
    return [
        path,
        f"--served-model-name={serving.model}",
        f"--max-model-len={serving.context_tokens}",
        f"--max-num-seqs={serving.concurrency}",
        *([f"--max-num-batched-tokens={n}"] if (n := serving.batched_tokens) else []),
        f"--gpu-memory-utilization={serving.memory_utilization:g}",
        *parallel,
        # Weights on a network volume are read in order; mapping them reads page by page.
        "--safetensors-load-strategy=eager",
        f"--shutdown-timeout={DRAIN_SECONDS}",
        "--disable-fastapi-docs",
        "--middleware=replica.Replica",
    ]


def _pod(
    cluster: Cluster,
    serving: Serving,
    weights: Weights,
    secret: pulumi.Output[str],
    middleware: pulumi.Output[str],
    priority: pulumi.Output[str],
    gpus: Devices,
) -> Manifest:
    server = container(
        "server",
        serving.image,
        resources={
            "requests": {"cpu": "2", "memory": "16Gi", **gpus.amounts},
            # Weights pass through the node's memory on their way to the GPU.
            "limits": {
                "memory": f"{32 + serving.weights_gib}Gi",
                "ephemeral-storage": "40Gi",
                **gpus.amounts,
            },
            **gpus.claims,
        },
        command=["vllm", "serve"],
        args=arguments(serving, weights.path),
        env=variables(
            {
                "VLLM_API_KEY": from_secret(secret, "key"),
                "HF_HUB_OFFLINE": "1",
                "VLLM_NO_USAGE_STATS": "1",
                "PYTHONPATH": MIDDLEWARE,
                "POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
                **WRITABLE,
            }
        ),
        ports=[{"name": "http", "containerPort": PORT}],
        startupProbe={
            **_probe("/health"),
            "periodSeconds": 10,
            "failureThreshold": 6 * LOAD_MINUTES,
        },
        readinessProbe={**_probe("/health"), "periodSeconds": 5, "failureThreshold": 2},
        livenessProbe={**_probe("/health"), "periodSeconds": 15, "failureThreshold": 4},
        lifecycle={"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        volumeMounts=[
            {"name": "weights", "mountPath": MOUNT, "readOnly": True},
            {"name": "middleware", "mountPath": MIDDLEWARE, "readOnly": True},
            {"name": "cache", "mountPath": "/cache"},
            {"name": "tmp", "mountPath": "/tmp"},
            {"name": "shared-memory", "mountPath": "/dev/shm"},
        ],
    )
    return pod(
        serving.image,
        containers=[server],
        volumes=[
            {
                "name": "weights",
                "persistentVolumeClaim": {"claimName": weights.claim, "readOnly": True},
            },
            {"name": "middleware", "configMap": {"name": middleware}},
            {"name": "cache", "emptyDir": {"sizeLimit": "20Gi"}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "10Gi"}},
            # Tensor parallelism talks through it; the host's own would break `restricted`.
            {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "8Gi"}},
        ],
        groups=[serving.device_group] if serving.device_group else [],
        **gpus.pod,
        nodeSelector=dict(cluster.gpu_labels),
        tolerations=[{"key": cluster.gpu_taint, "operator": "Exists", "effect": "NoSchedule"}],
        priorityClassName=priority,
        terminationGracePeriodSeconds=PRE_STOP_SECONDS + DRAIN_SECONDS + MARGIN_SECONDS,
        topologySpreadConstraints=[
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": LEADER},
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ],
    )


def _probe(path: str) -> Manifest:
    return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5}


def _group(
    name: str,
    serving: Serving,
    namespace: pulumi.Output[str],
    template: Manifest,
    opts: pulumi.ResourceOptions,
) -> kubernetes.apiextensions.CustomResource:
    """Replicas of several nodes each: one pod leads and answers, the others only compute."""
    server = template["containers"][0]
    headless = {
        **{field: value for field, value in server.items() if not field.endswith("Probe")},
        "args": [*server["args"], "--headless"],
    }
    return kubernetes.apiextensions.CustomResource(
        name,
        api_version=GROUP[0],
        kind=GROUP[1],
        metadata={"namespace": namespace},
        spec={
            "replicas": max(1, serving.minimum),
            "leaderWorkerTemplate": {
                "size": serving.nodes,
                # A group that lost a member cannot compute; half of one must not linger.
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": {"metadata": {"labels": SERVING}, "spec": template},
                "workerTemplate": {
                    "metadata": {"labels": {**MODEL_SERVER, ROLE: "worker"}},
                    "spec": {**template, "containers": [headless]},
                },
            },
        },
        opts=opts,
    )


def _members(name: str, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions) -> None:
    """Let the members of a group talk freely: NCCL picks its ports."""
    among = [{"podSelector": {"matchLabels": MODEL_SERVER}}]
    kubernetes.networking.v1.NetworkPolicy(
        f"{name}-members",
        metadata={"namespace": namespace},
        spec={
            "podSelector": {"matchLabels": MODEL_SERVER},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": among}],
            "egress": [{"to": among}],
        },
        opts=opts,
    )
