"""A Kubernetes control plane for tests, built once per machine from pinned Go modules.

Two programs: `control-plane` holds etcd, API server, scheduler and controller manager; `kubelets`
is KWOK, which plays them. No registry of packages has any of them ready-made.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from tools.bootstrap import BootstrapError, cache_folder, exclusive
from tools.engine_build import StepError, forget_toolchain, go_toolchain, logged, staging
from tools.workspace import CommandError

MODULE = Path(__file__).parent / "control_plane_module"
VERSION = "v1.36.3"
"""Of Kubernetes; `go.mod` pins the same."""
GO_MINIMUM = (1, 26, 0)


def find() -> Path | None:
    """Return the folder of the programs if this machine has built this version of them."""
    folder = _folder()
    return folder if folder.is_dir() else None


def ensure(report: Callable[[str], None]) -> Path:
    """Return the folder of the programs, building them if need be: 5 to 15 minutes on two cores.

    Raises:
        CommandError: the build failed; holds the end of its log.
    """
    if built := find():
        return built
    parent = _folder().parent
    try:
        with exclusive(parent / "lock", report, "building the control plane"):
            if built := find():
                return built
            log = parent / "build.log"
            go, environment = go_toolchain(log, report, minimum=GO_MINIMUM)
            with staging(parent) as folder:
                logged(
                    [
                        *(str(go), "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false"),
                        *("-ldflags", _version_flags()),
                        *("-o", f"{folder}/", "./..."),
                    ],
                    what="building the control plane from Go modules",
                    log=log,
                    report=report,
                    folder=MODULE,
                    environment=environment,
                )
                folder.rename(_folder())
            forget_toolchain()
    except (BootstrapError, StepError) as error:
        raise CommandError(str(error)) from error
    return _folder()


def _version_flags() -> str:
    """What makes the API server say its version, which features and clients go by."""
    package = "k8s.io/component-base/version"
    major, minor, _ = VERSION.removeprefix("v").split(".")
    facts = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s", "-w", *(f"-X {package}.{key}={value}" for key, value in facts.items())])


def _folder() -> Path:
    """Where these very sources are kept, built."""
    files = sorted(path for path in MODULE.rglob("*") if path.is_file())
    source = b"".join(path.read_bytes() for path in files)
    return cache_folder() / "control-plane" / hashlib.sha256(source).hexdigest()[:16]
