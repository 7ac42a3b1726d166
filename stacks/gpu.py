"""Which model runs on GPUs of our own, and on which: the `gpu_*` values of the config."""

from dataclasses import dataclass
from ipaddress import ip_network

import pulumi
from pulumi.runtime.config import is_config_secret

from components.gpu import machines
from components.kubernetes.serving import ClusterOptions, ModelSpec
from components.kubernetes.sharing import GpuPlatform, Sharing, SharingError, shared
from components.memory import Fit
from components.models import MODELS, Model
from components.sizing import size
from stacks.errors import SettingsError
from stacks.values import choice, integer, text

GIB = 2**30

CLAIMS_SINCE = 34
"""Minor version of Kubernetes that first serves `resource.k8s.io/v1` (its release notes)."""


@dataclass(frozen=True, kw_only=True)
class GpuSettings:
    """What a person decides about a model on GPUs of our own."""

    model: Model
    type: str
    """A GPU or a machine; empty takes the cheapest that fits."""
    context_tokens: int
    concurrency: int
    """Requests as long as the context that one replica must hold at once."""
    minimum: int
    maximum: int
    """Replicas that always run, and that may run."""
    sharing: str
    device_group: int
    """Of the nodes, who may open the GPUs' devices; 0 asks for none."""
    revision: str | None
    """Commit of the weights."""
    hugging_face_token: pulumi.Output[str] | None
    """Secret. Of whoever accepted the licence of a gated model."""
    kubernetes_version: str
    """Empty takes the arrangement's own."""
    cluster_region: str
    """Empty takes the arrangement's own."""
    extras: ClusterOptions
    """What the cluster has beside the model."""
    api_cidrs: tuple[str, ...]
    """Who may reach the cluster's API over the internet."""

    def fit(self, platform: str) -> Fit:
        """The machines of a platform that hold the model, by right-sizing.

        Raises:
            SettingsError: none does; says the arithmetic, and the nearest choice that does.
        """
        try:
            return size(
                self.model,
                context_tokens=self.context_tokens,
                concurrency=self.concurrency,
                machines=machines(platform),
                gpu_or_machine=self.type or None,
            ).chosen
        except ValueError as error:
            raise SettingsError.of(str(error)) from error

    def shared(self, platform: GpuPlatform, fit: Fit) -> Sharing:
        """How pods share the GPUs of these machines.

        Raises:
            SettingsError: `gpu_sharing` is not possible there; says why, and what is.
        """
        nodes = self.nodes(fit, self.minimum)
        try:
            sharing = shared(platform, fit.gpu, self.sharing, minimum_nodes=nodes)
        except SharingError as error:
            raise SettingsError.of(str(error)) from error
        if fit.tensor_parallel > 1 and not sharing.several:
            rule = f"{self.model.name} takes {fit.tensor_parallel} whole GPUs of {fit.machine.slug}"
            raise SettingsError("gpu_sharing", repr(self.sharing), rule, "exclusive")
        version = self.kubernetes_version
        if sharing.mode == "dra" and version and _minor(version) < CLAIMS_SINCE:
            rule = f"gpu_sharing dra claims GPUs by an API of 1.{CLAIMS_SINCE} and newer"
            raise SettingsError("kubernetes_version", repr(version), rule, f"1.{CLAIMS_SINCE}")
        return sharing

    def serving(self, fit: Fit, sharing: Sharing) -> ModelSpec:
        """What a model server on these machines is asked to serve.

        Raises:
            SettingsError: the model is gated, and there is no token of somebody who may have it.
        """
        if self.model.gated and self.hugging_face_token is None:
            rule = f"{self.model.hugging_face} is given only to who accepted its licence"
            raise SettingsError("hugging_face_token", "not set", rule, "", secret=True)
        return ModelSpec(
            model=self.model.name,
            repository=self.model.hugging_face,
            revision=self.revision,
            weights_gib=-(-self.model.weights_bytes // GIB),
            context_tokens=self.context_tokens,
            concurrency=fit.max_num_seqs,
            batched_tokens=fit.max_num_batched_tokens,
            vendor=fit.gpu.vendor,
            device_group=self.device_group,
            gpus=fit.tensor_parallel,
            nodes=fit.nodes,
            kv_cache=fit.kv_cache,
            memory_utilization=sharing.memory_utilization,
            minimum=self.minimum,
            maximum=self.maximum,
        )

    def nodes(self, fit: Fit, replicas: int) -> int:
        """Machines that so many replicas need."""
        return -(-replicas * fit.nodes // fit.replicas_per_machine)


def read_gpu(config: pulumi.Config) -> GpuSettings:
    """Read and check the `gpu_*` values.

    Raises:
        SettingsError: for the first value that breaks its rule.
    """
    model = MODELS[choice(config, "gpu_model", tuple(MODELS), "gpt-oss-120b")]
    minimum = integer(config, "gpu_minimum", 0, 64, default=1)
    maximum = integer(config, "gpu_maximum", 1, 64, default=2)
    if minimum > maximum:
        rule = f"it must not be above gpu_maximum, which is {maximum}"
        raise SettingsError("gpu_minimum", repr(str(minimum)), rule, str(maximum))
    return GpuSettings(
        model=model,
        type=text(config, "gpu_type"),
        context_tokens=integer(config, "gpu_context_tokens", 4096, 10_000_000, default=32_768),
        concurrency=integer(config, "gpu_concurrency", 1, 4096, default=8),
        minimum=minimum,
        maximum=maximum,
        sharing=text(config, "gpu_sharing") or "exclusive",
        device_group=integer(config, "gpu_device_group", 0, 65_535, default=0),
        revision=text(config, "gpu_model_revision") or model.revision,
        hugging_face_token=_token(config, model),
        kubernetes_version=text(config, "kubernetes_version"),
        cluster_region=text(config, "cluster_region"),
        extras=ClusterOptions(
            headroom=integer(config, "gpu_headroom", 0, 64, default=0),
            notebook_people=integer(config, "notebook_people", 0, 1000, default=0),
            prometheus=text(config, "cluster_prometheus"),
        ),
        api_cidrs=_cidrs(config),
    )


def _minor(version: str) -> int:
    """Of `1.35` or `1.35.1-do.0`; the cloud itself refuses what is no version."""
    minor = version.partition(".")[2].partition(".")[0]
    return int(minor) if minor.isdecimal() else CLAIMS_SINCE


def _token(config: pulumi.Config, model: Model) -> pulumi.Output[str] | None:
    key = "hugging_face_token"
    if not text(config, key):
        return None
    if not is_config_secret(config.full_key(key)):
        raise SettingsError(key, "in plain text", "a token must be encrypted", "", secret=True)
    return config.require_secret(key)


def _cidrs(config: pulumi.Config) -> tuple[str, ...]:
    given = tuple(text(config, "cluster_api_cidrs").replace(",", " ").split())
    for cidr in given:
        try:
            ip_network(cidr)
        except ValueError as error:
            rule = f"each must be a range of addresses ({error})"
            raise SettingsError("cluster_api_cidrs", repr(cidr), rule, "192.0.2.7/32") from error
    return given
