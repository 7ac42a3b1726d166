"""The Helm charts that we install, each at one version: one tested set.

`./seamless test cluster` renders those that a Go module holds, with our values, and has every
object admitted; `tools/cluster_parts.py` says which.
"""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart.

    Attributes:
        repository: URL of a chart repository, or of the chart itself where it is an OCI image.
        source: Where the version was read.
        seen: When the source was written.
    """

    name: str
    repository: str
    version: str
    source: str
    seen: date

    @property
    def is_image(self) -> bool:
        """True where a registry of images has it."""
        return self.repository.startswith("oci://")


CHARTS = {
    row.name: row
    for row in (
        Chart(
            name="kube-prometheus-stack",
            repository="oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack",
            version="88.6.1",
            source="github.com/prometheus-community/helm-charts, ed5d7d9b5933",
            seen=date(2026, 8, 28),
        ),
        Chart(
            name="keda",
            repository="https://kedacore.github.io/charts",
            version="2.20.2",
            source="github.com/kedacore/charts",
            seen=date(2026, 7, 31),
        ),
        Chart(
            name="nvidia-device-plugin",
            repository="https://nvidia.github.io/k8s-device-plugin",
            version="0.19.0",
            source="github.com/NVIDIA/k8s-device-plugin",
            seen=date(2026, 3, 17),
        ),
        Chart(
            name="dra-driver-nvidia-gpu",
            repository="oci://registry.k8s.io/dra-driver-nvidia/charts/dra-driver-nvidia-gpu",
            version="0.5.0",
            source="github.com/kubernetes-sigs/dra-driver-nvidia-gpu, tests/bats/Makefile",
            seen=date(2026, 8, 19),
        ),
        Chart(
            name="gpu-operator",
            repository="https://helm.ngc.nvidia.com/nvidia",
            version="v26.7.0",
            source="github.com/NVIDIA/gpu-operator",
            seen=date(2026, 8, 20),
        ),
        Chart(
            name="dcgm-exporter",
            repository="https://nvidia.github.io/dcgm-exporter/helm-charts",
            version="4.8.2",
            source="github.com/NVIDIA/dcgm-exporter",
            seen=date(2026, 5, 12),
        ),
        Chart(
            name="cluster-autoscaler",
            repository="https://kubernetes.github.io/autoscaler",
            version="9.59.0",  # of the autoscaler 1.35.0
            source="github.com/kubermatic/kubermatic/pull/16253",
            seen=date(2026, 8, 13),
        ),
        Chart(
            name="lws",
            repository="oci://registry.k8s.io/lws/charts/lws",
            version="0.9.0",
            source="github.com/kubernetes-sigs/lws",
            seen=date(2026, 6, 17),
        ),
        Chart(
            name="jupyterhub",
            repository="https://hub.jupyter.org/helm-chart/",
            version="4.3.3",  # of JupyterHub 5.4.4
            source="github.com/Unidata/usg-devops/pull/8",
            seen=date(2026, 3, 31),
        ),
    )
}
