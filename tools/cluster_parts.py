"""What the tests of a cluster take from others, kept once per machine.

The definitions of custom resources lie in their projects' Go modules; Prometheus and nginx are
Debian's packages, unpacked and not installed.
"""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.bootstrap import BootstrapError, cache_folder, exclusive
from tools.engine_build import StepError, forget_toolchain, go_toolchain, logged, staging
from tools.workspace import CommandError

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Definitions:
    """Files of a Go module that define custom resources."""

    module: str
    folder: str
    files: tuple[str, ...]


DEFINITIONS = (
    Definitions(
        module="github.com/kedacore/keda/v2@v2.21.0",
        folder="config/crd/bases",
        files=("keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml"),
    ),
    Definitions(
        module="github.com/prometheus-operator/prometheus-operator@v0.85.0",
        folder="example/prometheus-operator-crd",
        files=(
            "monitoring.coreos.com_podmonitors.yaml",
            "monitoring.coreos.com_prometheusrules.yaml",
        ),
    ),
)


def definitions() -> Path | None:
    """Return the folder of the definitions if this machine has these versions."""
    return _there(_definitions_folder())


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
    """Get what is not there yet: some 40 MB. Without Debian there are no programs, which is said.

    Raises:
        CommandError: something could not be had; holds the end of its log.
    """
    parent = cache_folder() / "cluster-parts"
    parent.mkdir(parents=True, exist_ok=True)
    log = parent / "parts.log"
    try:
        with exclusive(parent / "lock", report, "getting parts of the cluster tests"):
            if definitions() is None:
                _get_definitions(parent, log, report)
            if prometheus() is None:
                _get_package("prometheus", parent, log, report)
            if nginx() is None:
                _get_package("nginx", parent, log, report)
    except (BootstrapError, StepError) as error:
        raise CommandError(str(error)) from error


def _get_definitions(parent: Path, log: Path, report: Report) -> None:
    go, environment = go_toolchain(log, report)
    with staging(parent) as folder:
        for wanted in DEFINITIONS:
            outcome = subprocess.run(
                [str(go), "mod", "download", "-json", wanted.module],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
            if outcome.returncode:
                raise StepError(f"getting {wanted.module} failed:\n{outcome.stdout.rstrip()}")
            source = Path(json.loads(outcome.stdout)["Dir"]) / wanted.folder
            for file in wanted.files:
                shutil.copyfile(source / file, folder / file)
        folder.rename(_definitions_folder())
    forget_toolchain()


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


def _definitions_folder() -> Path:
    versions = [wanted.module.rpartition("/")[2] for wanted in DEFINITIONS]
    return cache_folder() / "cluster-parts" / "-".join(["definitions", *versions])


def _there(folder: Path) -> Path | None:
    return folder if folder.exists() else None
