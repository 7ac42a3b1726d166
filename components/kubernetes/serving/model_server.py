"""vLLM on GPU nodes: the replicas, their Service, and the pods that may use them.

Flags and metrics are those of the version in `images.py`; drain and probes follow vLLM's own
Kubernetes guide (vllm-project/vllm#43208, 2026-05).
"""

import inspect
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.kubernetes.base import pods
from components.kubernetes.base.gpu_requests import GpuRequest, request_gpus
from components.kubernetes.base.namespace import ingress, network_policy, pods_with
from components.kubernetes.base.pods import Manifest
from components.kubernetes.programs import replica
from components.kubernetes.programs.replica_monitor import SERVES
from components.kubernetes.serving.model_spec import ModelSpec
from components.kubernetes.serving.weights import MOUNT, Weights

PORT = 8000
PRIORITY = 100_000
"""Above everything that has no class of its own, below Kubernetes' system classes."""

PRE_STOP_SECONDS = 15
"""Between the removal of the endpoint from every proxy and SIGTERM."""
DRAIN_SECONDS = 120
"""Limit of a running request at shutdown; vLLM's default would cut it off at once."""
MARGIN_SECONDS = 15

LOAD_MINUTES = 60
"""Limit of a start: node, image, weights and compilation before the first answer."""

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

DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment"}
GROUP = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}
"""For replicas of several nodes."""

MODEL_SERVER = {"app.kubernetes.io/name": "model-server"}
ROLE = "seamless.dev/role"
LEADER = {**MODEL_SERVER, ROLE: "leader"}
"""The pods that answer; with one node per replica that is every pod."""
SERVING = {**LEADER, SERVES: "yes"}
"""The pods that receive requests; the replica monitor changes the label of a corrupt replica."""

MIDDLEWARE = "/opt/seamless"
"""Folder of `programs/replica.py`, which adds the replica's name to every answer."""


class ModelServer(pulumi.ComponentResource):
    """Replicas of one model behind one Service inside the cluster.

    Creates a Secret with the API key, a ConfigMap with the middleware, a PriorityClass, a
    Deployment (or a LeaderWorkerSet for replicas of several nodes), a Service, a
    PodDisruptionBudget and NetworkPolicies, and a ResourceClaimTemplate where GPUs are claimed.
    """

    service: pulumi.Output[str]
    """Name of the Service, in the same namespace."""
    key: pulumi.Output[str]
    """Name of the Secret whose `key` callers need."""
    scale_target: Manifest
    """The `scaleTargetRef` of a ScaledObject."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        model_spec: ModelSpec,
        namespace: pulumi.Output[str],
        weights: Weights,
        api_key: pulumi.Output[str],
        callers: Sequence[dict[str, str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: callers: Labels of the pods that may send requests."""
        super().__init__("seamless:kubernetes:ModelServer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"namespace": namespace}
        self.key = kubernetes.core.v1.Secret(
            f"{name}-key", metadata=metadata, string_data={"key": api_key}, opts=child
        ).metadata["name"]
        middleware = kubernetes.core.v1.ConfigMap(
            f"{name}-middleware",
            metadata=metadata,
            data={"replica.py": inspect.getsource(replica)},
            opts=child,
        )
        priority = kubernetes.scheduling.v1.PriorityClass(
            f"{name}-serving",
            value=PRIORITY,
            description="Serves requests: preempts batch work and notebooks.",
            opts=child,
        )
        gpus = request_gpus(name, model_spec.gpus, cluster=cluster, namespace=namespace, opts=child)
        pod = _pod(
            model_spec,
            gpus,
            weights=weights,
            key=self.key,
            middleware=middleware.metadata["name"],
            priority=priority.metadata["name"],
        )
        running = pulumi.ResourceOptions(
            parent=self,
            depends_on=[weights],
            # The autoscaler sets it.
            ignore_changes=["spec.replicas"],
            custom_timeouts=pulumi.CustomTimeouts(
                create=f"{LOAD_MINUTES + 30}m", update=f"{LOAD_MINUTES + 30}m"
            ),
        )
        grouped = model_spec.nodes > 1
        replicas = (_group if grouped else _deployment)(name, model_spec, metadata, pod, running)
        self.scale_target = {
            **(GROUP if grouped else DEPLOYMENT),
            "name": replicas.metadata["name"],
        }
        if grouped:
            # Any port among the members of a group: NCCL picks its own.
            members = [pods_with(MODEL_SERVER)]
            network_policy(
                f"{name}-members",
                namespace,
                MODEL_SERVER,
                ingress=[{"from": members}],
                egress=[{"to": members}],
                opts=child,
            )
        self.service = kubernetes.core.v1.Service(
            name,
            metadata={**metadata, "labels": MODEL_SERVER},
            spec=pods.service(SERVING, PORT),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[replicas]),
        ).metadata["name"]
        kubernetes.policy.v1.PodDisruptionBudget(
            name, metadata=metadata, spec=pods.one_unavailable(LEADER), opts=child
        )
        peers = [pods_with(labels) for labels in callers]
        ingress(f"{name}-callers", namespace, LEADER, PORT, *peers, opts=child)
        self.register_outputs({"service": self.service})


def arguments(model_spec: ModelSpec, path: str) -> list[str]:
    """The arguments of `vllm serve`, without those that are its defaults."""
    parallel = [f"--tensor-parallel-size={model_spec.gpus}"]
    if model_spec.nodes > 1:
        parallel += [
            f"--pipeline-parallel-size={model_spec.nodes}",
            f"--nnodes={model_spec.nodes}",
            "--node-rank=$(LWS_WORKER_INDEX)",
            "--master-addr=$(LWS_LEADER_ADDRESS)",
        ]
    return [
        path,
        f"--served-model-name={model_spec.model}",
        f"--max-model-len={model_spec.context_tokens}",
        f"--max-num-seqs={model_spec.concurrency}",
        *([f"--max-num-batched-tokens={n}"] if (n := model_spec.batched_tokens) else []),
        f"--gpu-memory-utilization={model_spec.memory_utilization:g}",
        *parallel,
        # Weights on a network volume are read in order; mapping them reads page by page.
        "--safetensors-load-strategy=eager",
        f"--shutdown-timeout={DRAIN_SECONDS}",
        "--disable-fastapi-docs",
        "--middleware=replica.ReplicaHeader",
    ]


def _pod(
    model_spec: ModelSpec,
    gpus: GpuRequest,
    *,
    weights: Weights,
    key: pulumi.Output[str],
    middleware: pulumi.Output[str],
    priority: pulumi.Output[str],
) -> Manifest:
    # Weights pass through the node's memory on their way to the GPU.
    memory_limit = f"{32 + model_spec.weights_gib}Gi"
    resources = pods.resources("2", "16Gi", memory_limit=memory_limit, disk_limit="40Gi")
    claim = {"claimName": weights.claim, "readOnly": True}
    # Tensor parallelism communicates through it; the host's would break `restricted`.
    shared_memory = {"medium": "Memory", "sizeLimit": "8Gi"}
    return pods.pod(
        "server",
        model_spec.image,
        resources=gpus.added_to(resources),
        command=["vllm", "serve"],
        args=arguments(model_spec, weights.path),
        env={
            "VLLM_API_KEY": pods.from_secret(key, "key"),
            "HF_HUB_OFFLINE": "1",
            "VLLM_NO_USAGE_STATS": "1",
            "PYTHONPATH": MIDDLEWARE,
            "POD_NAME": {"fieldRef": {"fieldPath": "metadata.name"}},
            **WRITABLE,
        },
        ports=[{"name": "http", "containerPort": PORT}],
        startupProbe=_health(period=10, failures=6 * LOAD_MINUTES),
        readinessProbe=_health(period=5, failures=2),
        livenessProbe=_health(period=15, failures=4),
        lifecycle={"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        volumes={
            MOUNT: {"name": "weights", "persistentVolumeClaim": claim},
            MIDDLEWARE: {"name": "middleware", "configMap": {"name": middleware}},
            "/cache": pods.scratch("cache", "20Gi"),
            "/tmp": pods.scratch("tmp", "10Gi"),
            "/dev/shm": {"name": "shared-memory", "emptyDir": shared_memory},
        },
        groups=[model_spec.device_group] if model_spec.device_group else [],
        spec={
            **gpus.pod,
            "priorityClassName": priority,
            "terminationGracePeriodSeconds": PRE_STOP_SECONDS + DRAIN_SECONDS + MARGIN_SECONDS,
            "topologySpreadConstraints": pods.spread(
                LEADER, "topology.kubernetes.io/zone", "kubernetes.io/hostname"
            ),
        },
    )


def _health(*, period: int, failures: int) -> Manifest:
    return pods.probe("/health", timeout=5, periodSeconds=period, failureThreshold=failures)


def _deployment(
    name: str,
    model_spec: ModelSpec,
    metadata: Manifest,
    pod: Manifest,
    opts: pulumi.ResourceOptions,
) -> Any:
    spec = pods.deployment(
        SERVING,
        pod,
        replicas=max(1, model_spec.minimum),
        # It keeps a pod that no longer serves.
        selector={"matchLabels": LEADER},
        # A surge pod would wait without end for a GPU where the pool has no spare one.
        strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        progressDeadlineSeconds=LOAD_MINUTES * 60,
    )
    return kubernetes.apps.v1.Deployment(name, metadata=metadata, spec=spec, opts=opts)


def _group(
    name: str,
    model_spec: ModelSpec,
    metadata: Manifest,
    pod: Manifest,
    opts: pulumi.ResourceOptions,
) -> Any:
    """A LeaderWorkerSet: the leader of each replica answers, the workers only compute."""
    server = pod["containers"][0]
    headless = {
        **{field: value for field, value in server.items() if not field.endswith("Probe")},
        "args": [*server["args"], "--headless"],
    }
    worker = {**MODEL_SERVER, ROLE: "worker"}
    group = {
        "size": model_spec.nodes,
        # A group without one of its members cannot compute: it is recreated as a whole.
        "restartPolicy": "RecreateGroupOnPodRestart",
        "leaderTemplate": pods.template(SERVING, pod),
        "workerTemplate": pods.template(worker, {**pod, "containers": [headless]}),
    }
    return kubernetes.apiextensions.CustomResource(
        name,
        api_version=GROUP["apiVersion"],
        kind=GROUP["kind"],
        metadata=metadata,
        spec={"replicas": max(1, model_spec.minimum), "leaderWorkerTemplate": group},
        opts=opts,
    )
