"""Deploys the replica monitor, the program in `programs/replica_monitor.py`."""

import inspect

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.base import pods
from components.kubernetes.base.images import ROUTER as IMAGE
from components.kubernetes.base.namespace import egress, ingress, pods_with
from components.kubernetes.base.pods import Manifest
from components.kubernetes.base.service_account import ServiceAccount
from components.kubernetes.programs import replica_monitor as program
from functions.inference import canary_prompt

REPLICA_MONITOR = {"app.kubernetes.io/name": "replica-monitor"}
PORT = 8002
PROGRAM_FOLDER = "/opt/seamless"
ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"


class ReplicaMonitor(pulumi.ComponentResource):
    """A program that tests every replica of a model; it may restart at any time.

    Creates a ConfigMap with the program and one with its state, a ServiceAccount that may list,
    label and delete pods, a Deployment, a Service, and NetworkPolicies.
    """

    service: pulumi.Output[str]
    """Name of the Service, in the same namespace."""

    def __init__(
        self,
        name: str,
        *,
        namespace: pulumi.Output[str],
        model: str,
        replicas: dict[str, str],
        replica_port: int,
        key: pulumi.Output[str],
        callers: dict[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        replicas: Labels of the pods that are tested.
        key: Name of the Secret whose `key` replicas and callers use.
        callers: Labels of the pods that may read the verdicts.
        """
        super().__init__("seamless:kubernetes:ReplicaMonitor", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"namespace": namespace}
        state = kubernetes.core.v1.ConfigMap(
            f"{name}-state",
            metadata=metadata,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["data"]),
        )
        source = kubernetes.core.v1.ConfigMap(
            name,
            metadata=metadata,
            # A new name per content, so that a change rolls the pod.
            data={
                "replica_monitor.py": inspect.getsource(program),
                "question.py": inspect.getsource(canary_prompt),
            },
            opts=child,
        )
        account = ServiceAccount(
            name,
            namespace=namespace,
            labels=REPLICA_MONITOR,
            rules=_rules(state.metadata["name"]),
            opts=child,
        )
        policies = [
            egress(
                f"{name}-replicas",
                namespace,
                REPLICA_MONITOR,
                replica_port,
                pods_with(replicas),
                opts=child,
            ),
            ingress(
                f"{name}-callers", namespace, REPLICA_MONITOR, PORT, pods_with(callers), opts=child
            ),
        ]
        environment = {
            "SERVICE_ACCOUNT": ACCOUNT_FOLDER,
            "STATE_CONFIG_MAP": state.metadata["name"],
            "REPLICA_SELECTOR": pods.selector(replicas),
            "MODEL": model,
            "MODEL_PORT": str(replica_port),
            "MODEL_KEY": pods.from_secret(key, "key"),
            "PORT": str(PORT),
        }
        running = kubernetes.apps.v1.Deployment(
            name,
            metadata=metadata,
            spec=pods.deployment(
                REPLICA_MONITOR,
                _pod(source.metadata["name"], account.pod, environment),
                replicas=1,
                # Two monitors at a time would count each other's wrong answers twice.
                strategy={"type": "Recreate"},
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, *policies]),
        )
        self.service = kubernetes.core.v1.Service(
            name,
            metadata={**metadata, "labels": REPLICA_MONITOR},
            spec=pods.service(REPLICA_MONITOR, PORT),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[running]),
        ).metadata["name"]
        self.register_outputs({"service": self.service})


def _rules(state: pulumi.Output[str]) -> list[Manifest]:
    return [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch", "delete"]},
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [state],
            "verbs": ["get", "patch"],
        },
    ]


def _pod(source: pulumi.Output[str], account: Manifest, environment: Manifest) -> Manifest:
    files = [
        {"key": "replica_monitor.py", "path": "replica_monitor.py"},
        {"key": "question.py", "path": "functions/inference/canary_prompt.py"},
    ]
    program_files = {"name": "program", "configMap": {"name": source, "items": files}}
    return pods.pod(
        "replica-monitor",
        IMAGE,
        resources=pods.resources("50m", "64Mi", memory_limit="256Mi", disk_limit="100Mi"),
        command=["python3", f"{PROGRAM_FOLDER}/replica_monitor.py"],
        env=environment,
        ports=[{"name": "http", "containerPort": PORT}],
        readinessProbe=pods.probe("/healthz", periodSeconds=5),
        volumes={PROGRAM_FOLDER: program_files},
        spec=account,
    )
