"""The weights: downloaded once to a volume that every replica mounts, then never fetched again."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.kubernetes.pods import TRIED_AGAIN, container, from_secret, pod, variables
from components.kubernetes.serving import Serving
from components.kubernetes.space import INTERNET, egress

MOUNT = "/weights"

DOWNLOADER = {"app.kubernetes.io/name": "weights"}


class Weights(pulumi.ComponentResource):
    """A volume with one model's weights, filled by a Job that alone may reach the internet.

    The Hugging Face token stays in that Job, so no serving pod holds it.
    """

    claim: pulumi.Output[str]
    """Name of the PersistentVolumeClaim."""
    path: str
    """Of the model, below where the claim is mounted at `MOUNT`."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        serving: Serving,
        namespace: pulumi.Output[str],
        hugging_face_token: pulumi.Input[str] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("seamless:kubernetes:Weights", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.path = f"{MOUNT}/{serving.model}"
        size = f"{serving.volume_gib}Gi"
        volume = kubernetes.core.v1.PersistentVolume(
            name,
            spec={
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteMany"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
                **cluster.weights_volume,
            },
            opts=child,
        )
        claim = kubernetes.core.v1.PersistentVolumeClaim(
            name,
            metadata={"namespace": namespace},
            spec={
                "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": size}},
                "storageClassName": "",
                "volumeName": volume.metadata["name"],
            },
            opts=child,
        )
        self.claim = claim.metadata["name"]
        environment: dict[str, object] = {"HF_HOME": "/tmp/hf", "HOME": "/tmp"}
        if hugging_face_token is not None:
            token = kubernetes.core.v1.Secret(
                f"{name}-token",
                metadata={"namespace": namespace},
                string_data={"token": hugging_face_token},
                opts=child,
            )
            environment["HF_TOKEN"] = from_secret(token.metadata["name"], "token")
        reach = egress(
            f"{name}-download",
            namespace=namespace,
            from_=DOWNLOADER,
            port=443,
            targets=[INTERNET],
            opts=child,
        )
        revision = ["--revision", serving.revision] if serving.revision else []
        download = container(
            "download",
            serving.image,
            resources={
                "requests": {"cpu": "1", "memory": "2Gi"},
                "limits": {"memory": "4Gi", "ephemeral-storage": "10Gi"},
            },
            command=[
                *("hf", "download", serving.repository, *revision, "--local-dir", self.path),
                # The same weights once more, in forms that vLLM does not read.
                *("--exclude", "original/*", "metal/*"),
            ],
            env=variables(environment),
            volumeMounts=[
                {"name": "weights", "mountPath": MOUNT},
                {"name": "tmp", "mountPath": "/tmp"},
            ],
        )
        kubernetes.batch.v1.Job(
            f"{name}-download",
            metadata={"namespace": namespace, "annotations": TRIED_AGAIN},
            spec={
                "backoffLimit": 6,  # downloads break off; the next attempt goes on where it was
                "template": {
                    "metadata": {"labels": DOWNLOADER},
                    "spec": pod(
                        serving.image,
                        containers=[download],
                        volumes=[
                            {
                                "name": "weights",
                                "persistentVolumeClaim": {"claimName": self.claim},
                            },
                            {"name": "tmp", "emptyDir": {"sizeLimit": "10Gi"}},
                        ],
                        restartPolicy="OnFailure",
                    ),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[reach],
                custom_timeouts=pulumi.CustomTimeouts(create="2h", update="2h"),
            ),
        )
        self.register_outputs({"claim": self.claim})
