"""A Kubernetes control plane for tests; its first build takes 5 to 15 minutes on two cores.

Two programs: `control-plane` holds etcd, API server, scheduler and controller manager; `kubelets`
is KWOK, which plays them.
"""

from pathlib import Path

from tools.programs.go_programs import GoPrograms

VERSION = "v1.36.3"
"""Of Kubernetes; `go.mod` pins the same."""


def _version_flags() -> str:
    """What makes the API server say its version, which features and clients go by."""
    package = "k8s.io/component-base/version"
    major, minor, _ = VERSION.removeprefix("v").split(".")
    facts = {"gitVersion": VERSION, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s", "-w", *(f"-X {package}.{key}={value}" for key, value in facts.items())])


CONTROL_PLANE = GoPrograms(
    name="control-plane",
    what="the control plane",
    module=Path(__file__).parent / "control_plane_module",
    packages="./...",
    linker_flags=_version_flags(),
    go_minimum=(1, 26, 0),
)
