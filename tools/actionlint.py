"""actionlint, the linter of GitHub's workflows, built once per machine from pinned Go modules.

Its package on PyPI fetches a binary from GitHub when it is installed; the Go module proxy has the
source, and `go.sum` its hash.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from tools.bootstrap import BootstrapError, cache_folder, exclusive
from tools.engine_build import StepError, forget_toolchain, go_toolchain, logged, staging
from tools.workspace import CommandError

MODULE = Path(__file__).parent / "actionlint_module"
_PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"


def ensure(report: Callable[[str], None]) -> Path:
    """Return the program, building it if need be: some ten seconds, and a Go where there is none.

    Raises:
        CommandError: the build failed; holds the end of its log.
    """
    program = _folder() / "actionlint"
    if program.is_file():
        return program
    parent = _folder().parent
    try:
        with exclusive(parent / "lock", report, "building actionlint"):
            if program.is_file():
                return program
            log = parent / "build.log"
            go, environment = go_toolchain(log, report)
            with staging(parent) as folder:
                logged(
                    [
                        *(str(go), "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false"),
                        *("-o", f"{folder}/", _PACKAGE),
                    ],
                    what="building actionlint from Go modules",
                    log=log,
                    report=report,
                    folder=MODULE,
                    environment=environment,
                )
                folder.rename(_folder())
            forget_toolchain()
    except (BootstrapError, StepError) as error:
        raise CommandError(str(error)) from error
    return program


def _folder() -> Path:
    """Where these very pins are kept, built."""
    pins = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return cache_folder() / "actionlint" / hashlib.sha256(pins).hexdigest()[:16]
