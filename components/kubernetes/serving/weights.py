"""The weights of a model, downloaded once to a volume that every replica mounts."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.contracts import Cluster
from components.kubernetes.base import pods
from components.kubernetes.base.namespace import INTERNET, egress
from components.kubernetes.base.pods import REPLACE_FAILED, Manifest
from components.kubernetes.serving.model_spec import ModelSpec

MOUNT = "/weights"

DOWNLOADER = {"app.kubernetes.io/name": "weights"}


class Weights(pulumi.ComponentResource):
    """A volume with one model's weights; only the Job that fills it may reach the internet.

    Creates a PersistentVolume, its PersistentVolumeClaim, a Job that downloads, a NetworkPolicy for
    it, and a Secret with the Hugging Face token, which only the Job gets.
    """

    claim: pulumi.Output[str]
    """Name of the PersistentVolumeClaim."""
    path: str
    """Folder of the model in a pod that mounts the claim at `MOUNT`."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
        model_spec: ModelSpec,
        namespace: pulumi.Output[str],
        hugging_face_token: pulumi.Input[str] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("seamless:kubernetes:Weights", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"namespace": namespace}
        self.path = f"{MOUNT}/{model_spec.model}"
        size = {"storage": f"{model_spec.volume_gib}Gi"}
        shared = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
        volume = kubernetes.core.v1.PersistentVolume(
            name,
            spec={
                **shared,
                "capacity": size,
                "persistentVolumeReclaimPolicy": "Retain",
                **cluster.weights_volume,
            },
            opts=child,
        )
        self.claim = kubernetes.core.v1.PersistentVolumeClaim(
            name,
            metadata=metadata,
            spec={
                **shared,
                "resources": {"requests": size},
                "volumeName": volume.metadata["name"],
            },
            opts=child,
        ).metadata["name"]
        environment: Manifest = {"HF_HOME": "/tmp/hf", "HOME": "/tmp"}
        if hugging_face_token is not None:
            token = kubernetes.core.v1.Secret(
                f"{name}-token",
                metadata=metadata,
                string_data={"token": hugging_face_token},
                opts=child,
            )
            environment["HF_TOKEN"] = pods.from_secret(token.metadata["name"], "token")
        policy = egress(f"{name}-download", namespace, DOWNLOADER, 443, INTERNET, opts=child)
        kubernetes.batch.v1.Job(
            f"{name}-download",
            metadata={**metadata, "annotations": REPLACE_FAILED},
            # Downloads break off; the next attempt resumes.
            spec=pods.job(
                DOWNLOADER, _pod(model_spec, self.path, self.claim, environment), retries=6
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[policy],
                custom_timeouts=pulumi.CustomTimeouts(create="2h", update="2h"),
            ),
        )
        self.register_outputs({"claim": self.claim})


def _pod(
    model_spec: ModelSpec, path: str, claim: pulumi.Output[str], environment: Manifest
) -> Manifest:
    revision = ["--revision", model_spec.revision] if model_spec.revision else []
    return pods.pod(
        "download",
        model_spec.image,
        resources=pods.resources("1", "2Gi", memory_limit="4Gi", disk_limit="10Gi"),
        command=[
            *("hf", "download", model_spec.repository, *revision, "--local-dir", path),
            # Copies of the weights in formats that vLLM does not read.
            *("--exclude", "original/*", "metal/*"),
        ],
        env=environment,
        volumes={
            MOUNT: {"name": "weights", "persistentVolumeClaim": {"claimName": claim}},
            "/tmp": pods.scratch("tmp", "10Gi"),
        },
        spec={"restartPolicy": "OnFailure"},
    )
