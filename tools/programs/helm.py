"""Helm, which renders charts for tests; its first build takes minutes on two cores."""

from pathlib import Path

from tools.programs.go_programs import GoPrograms

HELM = GoPrograms(
    name="helm",
    what="Helm",
    module=Path(__file__).parent / "helm_module",
    packages="helm.sh/helm/v4/cmd/helm",
    go_minimum=(1, 26, 0),
)
