"""actionlint, the linter of GitHub's workflows; its first build takes some ten seconds.

Its package on PyPI fetches a binary from GitHub when it is installed; the Go module proxy has the
source, and `go.sum` its hash.
"""

from pathlib import Path

from tools.programs.go_programs import GoPrograms

ACTIONLINT = GoPrograms(
    name="actionlint",
    what="actionlint",
    module=Path(__file__).parent / "actionlint_module",
    packages="github.com/rhysd/actionlint/cmd/actionlint",
)
