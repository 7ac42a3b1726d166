"""The guard of each replica: a program in the cluster that asks all of them, and judges.

What it does is `inside/examiner.py`; this gives it a place, its rights and its ways.
"""

import inspect

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.account import Account
from components.kubernetes.images import ROUTER as IMAGE
from components.kubernetes.inside import examiner as program
from components.kubernetes.pods import container, from_secret, pod, variables
from components.kubernetes.space import egress, ingress
from functions import question

EXAMINER = {"app.kubernetes.io/name": "examiner"}
PORT = 8002
PLACE = "/opt/seamless"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class Examiner(pulumi.ComponentResource):
    """One program for all replicas of a model; it may restart at any time and goes on."""

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
        replicas: Labels of the pods that answer.
        key: Name of the Secret whose `key` they and the callers have.
        callers: Labels of the pods that may ask for the verdicts.
        """
        super().__init__("seamless:kubernetes:Examiner", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = kubernetes.core.v1.ConfigMap(
            f"{name}-kept",
            metadata={"namespace": namespace},
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["data"]),
        )
        account = Account(
            name,
            namespace=namespace,
            labels=EXAMINER,
            rules=[
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "patch", "delete"]},
                {
                    "apiGroups": [""],
                    "resources": ["configmaps"],
                    "resourceNames": [kept.metadata["name"]],
                    "verbs": ["get", "patch"],
                },
            ],
            opts=child,
        )
        source = kubernetes.core.v1.ConfigMap(
            name,
            metadata={"namespace": namespace},
            # A new name per content, so that a change rolls the pod.
            data={
                "examiner.py": inspect.getsource(program),
                "question.py": inspect.getsource(question),
            },
            opts=child,
        )
        health = {"httpGet": {"path": "/healthz", "port": "http"}, "timeoutSeconds": 3}
        examiner = container(
            "examiner",
            IMAGE,
            resources={
                "requests": {"cpu": "50m", "memory": "64Mi"},
                "limits": {"memory": "256Mi", "ephemeral-storage": "100Mi"},
            },
            command=["python3", f"{PLACE}/examiner.py"],
            env=variables(
                {
                    "ACCOUNT": ACCOUNT,
                    "CONFIG_MAP": kept.metadata["name"],
                    "SELECTOR": ",".join(f"{key}={value}" for key, value in replicas.items()),
                    "MODEL": model,
                    "MODEL_PORT": str(replica_port),
                    "MODEL_KEY": from_secret(key, "key"),
                    "PORT": str(PORT),
                }
            ),
            ports=[{"name": "http", "containerPort": PORT}],
            readinessProbe={**health, "periodSeconds": 5},
            volumeMounts=[{"name": "program", "mountPath": PLACE, "readOnly": True}],
        )
        ways = [
            egress(
                f"{name}-replicas",
                namespace=namespace,
                from_=EXAMINER,
                port=replica_port,
                targets=[{"podSelector": {"matchLabels": replicas}}],
                opts=child,
            ),
            ingress(
                f"{name}-callers",
                namespace=namespace,
                to=EXAMINER,
                port=PORT,
                sources=[{"podSelector": {"matchLabels": callers}}],
                opts=child,
            ),
        ]
        deployment = kubernetes.apps.v1.Deployment(
            name,
            metadata={"namespace": namespace},
            spec={
                "replicas": 1,
                "selector": {"matchLabels": EXAMINER},
                # Two that judge at a time would count each other's wrong answers twice.
                "strategy": {"type": "Recreate"},
                "template": {
                    "metadata": {"labels": EXAMINER},
                    "spec": pod(
                        IMAGE,
                        containers=[examiner],
                        volumes=[
                            {
                                "name": "program",
                                "configMap": {
                                    "name": source.metadata["name"],
                                    "items": [
                                        {"key": "examiner.py", "path": "examiner.py"},
                                        {"key": "question.py", "path": "functions/question.py"},
                                    ],
                                },
                            }
                        ],
                        serviceAccountName=account.account,
                        automountServiceAccountToken=True,
                    ),
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[account, *ways]),
        )
        service = kubernetes.core.v1.Service(
            name,
            metadata={"namespace": namespace, "labels": EXAMINER},
            spec={"selector": EXAMINER, "ports": [{"name": "http", "port": PORT}]},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        self.service = service.metadata["name"]
        self.register_outputs({"service": self.service})
