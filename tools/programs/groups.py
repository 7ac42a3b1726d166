"""The controller of LeaderWorkerSets, run by tests; its first build takes minutes on two cores."""

from pathlib import Path

from tools.programs.go_programs import GoPrograms

GROUPS = GoPrograms(
    name="groups",
    what="the controller of LeaderWorkerSets",
    module=Path(__file__).parent / "groups_module",
    packages="sigs.k8s.io/lws/cmd",
    go_minimum=(1, 26, 0),
)
"""One program, `cmd`."""
