"""Programs without a prebuilt package, built once per machine from pinned Go modules."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.bootstrap import BootstrapError, cache_folder, exclusive
from tools.engine.build import (
    GO_MINIMUM,
    StepError,
    forget_toolchain,
    go_toolchain,
    logged,
    staging,
)
from tools.workspace import CommandError


@dataclass(frozen=True, kw_only=True)
class GoPrograms:
    """The programs of one of our Go modules.

    Attributes:
        name: Folder in the user's cache.
        what: Name in progress messages.
        module: Folder with `go.mod`, `go.sum` and sources, if any.
        packages: Packages to build.
        linker_flags: For `go build -ldflags`.
        go_minimum: The oldest Go that builds it.
    """

    name: str
    what: str
    module: Path
    packages: str
    linker_flags: str = "-s -w"
    go_minimum: tuple[int, ...] = GO_MINIMUM

    def find(self) -> Path | None:
        """The folder of the programs, if this version is built."""
        folder = self._folder()
        return folder if folder.is_dir() else None

    def ensure(self, report: Callable[[str], None]) -> Path:
        """The folder of the programs, built if necessary.

        Raises:
            CommandError: the build failed; has the end of its log.
        """
        if built := self.find():
            return built
        parent = self._folder().parent
        try:
            with exclusive(parent / "lock", report, f"building {self.what}"):
                if built := self.find():
                    return built
                log = parent / "build.log"
                go, environment = go_toolchain(log, report, minimum=self.go_minimum)
                with staging(parent) as folder:
                    logged(
                        [
                            *(str(go), "build", "-v", "-mod=readonly", "-trimpath"),
                            *("-buildvcs=false", "-ldflags", self.linker_flags),
                            *("-o", f"{folder}/", self.packages),
                        ],
                        what=f"building {self.what} from Go modules",
                        log=log,
                        report=report,
                        folder=self.module,
                        environment=environment,
                    )
                    folder.rename(self._folder())
                forget_toolchain()
        except (BootstrapError, StepError) as error:
            raise CommandError(str(error)) from error
        return self._folder()

    def _folder(self) -> Path:
        """The cache folder for the hash of these sources."""
        files = sorted(path for path in self.module.rglob("*") if path.is_file())
        source = b"".join(path.read_bytes() for path in files)
        return cache_folder() / self.name / hashlib.sha256(source).hexdigest()[:16]
