"""What the tests of a cluster take from others, kept once per machine.

Charts and the definitions of custom resources lie in their projects' Go modules; Prometheus and
nginx are Debian's packages, unpacked and not installed.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

from tools.bootstrap import BootstrapError, cache_folder, exclusive
from tools.engine.build import StepError, logged, staging
from tools.engine.go_sources import GoSource, get, kept
from tools.workspace import CommandError

Report = Callable[[str], None]

_STACK = "charts/kube-prometheus-stack"
_OPERATOR = f"{_STACK}/charts/crds/crds"

SOURCES = (
    GoSource(
        module="github.com/kedacore/keda/v2@v2.20.2",
        sum="h1:SR60v8uIcelbveS8n/1jcl8tLdBBIbHMxmdOHw8tKqA=",
        paths={
            f"config/crd/bases/{file}": f"definitions/{file}"
            for file in ("keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml")
        },
    ),
    GoSource(
        module="github.com/kedacore/charts@v2.20.2+incompatible",
        sum="h1:8oHeTAIuV0FyzxPqojqvWYvIm2VWOuuI5CYH8X+UKNo=",
        paths={"keda": "charts/keda"},
    ),
    GoSource(
        module="github.com/prometheus-community/helm-charts@v0.0.0-20260828105119-ed5d7d9b5933",
        sum="h1:5+f9HcKpurn9DWdl0b8PsT7TkEzfCDwcx2KbWYnrnPU=",
        paths={
            _STACK: _STACK,
            **{
                f"charts/{part}": f"{_STACK}/charts/{part}"
                for part in (
                    "kube-state-metrics",
                    "prometheus-node-exporter",
                    "prometheus-windows-exporter",
                )
            },
            **{
                f"{_OPERATOR}/crd-{kind}.yaml": f"definitions/crd-{kind}.yaml"
                for kind in (
                    "alertmanagers",
                    "podmonitors",
                    "prometheuses",
                    "prometheusrules",
                    "servicemonitors",
                )
            },
        },
    ),
    GoSource(
        # 13.0.1, while the stack asks for 12.11.2, which is in no version that the proxy offers.
        module="github.com/grafana-community/helm-charts@v0.0.0-20260829030558-dbf9f4fb5fa1",
        sum="h1:vku2Qg2LpOqB0wMkzPLMfWL1f1LBTzBH4fVgSJ8+Zak=",
        paths={"charts/grafana": f"{_STACK}/charts/grafana"},
    ),
    GoSource(
        module="sigs.k8s.io/lws@v0.9.0",
        sum="h1:DcJCgxjjoGOx//QHZkeKpyiblxYq70aCRZNYSfykWyI=",
        paths={
            "charts/lws": "charts/lws",
            **{
                f"config/crd/bases/{group}.x-k8s.io_{group}s.yaml": f"definitions/{group}s.yaml"
                for group in ("disaggregatedset", "leaderworkerset")
            },
        },
    ),
    GoSource(
        module="github.com/NVIDIA/k8s-device-plugin@v0.19.0",
        sum="h1:3JBGCsq0moOtpqyYHpevGZNcPKmIJeTiL7qSQ/rC71Q=",
        paths={"deployments/helm/nvidia-device-plugin": "charts/nvidia-device-plugin"},
    ),
    GoSource(
        module="sigs.k8s.io/dra-driver-nvidia-gpu@v0.5.0",
        sum="h1:CjUBJwemlt4kYy5AN+I7Ce4mMp9V4VKR97EBogSoDus=",
        paths={"deployments/helm/dra-driver-nvidia-gpu": "charts/dra-driver-nvidia-gpu"},
    ),
)
"""The proxy has no version of the charts of DCGM exporter, GPU operator, cluster autoscaler and
JupyterHub that we could take (proxy.golang.org, 2026-11-22)."""


def definitions() -> Path | None:
    """Return the folder of the definitions if this machine has these versions."""
    return _there(kept(SOURCES) / "definitions")


def charts() -> Path | None:
    """Return the folder of the charts, each by its name, if this machine has these versions."""
    return _there(kept(SOURCES) / "charts")


def prometheus() -> Path | None:
    """Return the folder with `prometheus` and `promtool`: those on PATH, or the unpacked ones."""
    found = shutil.which("prometheus")
    if found and shutil.which("promtool"):
        return Path(found).parent
    return _there(cache_folder() / "prometheus" / "usr" / "bin")


def nginx() -> Path | None:
    """Return the program `nginx`: that on PATH, or the unpacked one."""
    if found := shutil.which("nginx"):
        return Path(found)
    return _there(cache_folder() / "nginx" / "usr" / "sbin" / "nginx")


def ensure(report: Report) -> None:
    """Get what is not there yet: some 60 MB. Without Debian there are no programs, which is said.

    Raises:
        CommandError: something could not be had; holds the end of its log.
    """
    parent = cache_folder() / "cluster-parts"
    parent.mkdir(parents=True, exist_ok=True)
    log = parent / "parts.log"
    try:
        with exclusive(parent / "lock", report, "getting parts of the cluster tests"):
            if definitions() is None:
                get(SOURCES, log, report)
            if prometheus() is None:
                _get_package("prometheus", parent, log, report)
            if nginx() is None:
                _get_package("nginx", parent, log, report)
    except (BootstrapError, StepError) as error:
        raise CommandError(str(error)) from error


def _get_package(name: str, parent: Path, log: Path, report: Report) -> None:
    """Unpack a package of Debian's, without installing it."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        report(f"no {name}: only Debian's package is fetched; put its programs on PATH")
        return
    with staging(parent) as folder:
        logged(
            ["apt-get", "download", name],
            what=f"getting {name}",
            log=log,
            report=report,
            folder=folder,
        )
        (package,) = folder.glob(f"{name}_*.deb")
        unpacked = folder / "unpacked"
        logged(
            ["dpkg", "-x", str(package), str(unpacked)],
            what=f"unpacking {name}",
            log=log,
            report=report,
        )
        unpacked.rename(cache_folder() / name)


def _there(folder: Path) -> Path | None:
    return folder if folder.exists() else None
