"""Files from other projects' Go modules, such as charts and CRDs, cached once per machine.

The Go module proxy has whole repositories. Each module is pinned by its `go.sum` hash.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bootstrap import cache_folder
from tools.engine.build import StepError, forget_toolchain, go_toolchain, staging


@dataclass(frozen=True, kw_only=True)
class GoSource:
    """Files to take from one Go module.

    Attributes:
        module: `path@version`.
        sum: Hash of the module, as in `go.sum`.
        paths: Target of each file or folder.
    """

    module: str
    sum: str
    paths: Mapping[str, str]


def kept(sources: Sequence[GoSource]) -> Path:
    """The cache folder of these sources; it may not exist yet."""
    name = hashlib.sha256(repr(sources).encode()).hexdigest()[:16]
    return cache_folder() / "go-sources" / name


def get(sources: Sequence[GoSource], log: Path, report: Callable[[str], None]) -> None:
    """Fill the folder of these sources; the caller holds a lock.

    Raises:
        StepError: a download failed, or a module has another hash.
    """
    go, environment = go_toolchain(log, report)
    with staging(kept(sources).parent) as folder:
        for source in sources:
            report(f"downloading {source.module}")
            module = _module(source, go, environment, folder)
            for path, name in source.paths.items():
                _copy(module / path, folder / name)
        folder.rename(kept(sources))
    forget_toolchain()


def _module(source: GoSource, go: Path, environment: Mapping[str, str], folder: Path) -> Path:
    outcome = subprocess.run(
        [str(go), "mod", "download", "-json", source.module],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    if outcome.returncode:
        raise StepError(f"downloading {source.module} failed:\n{outcome.stdout.rstrip()}")
    found = json.loads(outcome.stdout)
    if found["Sum"] != source.sum:
        raise StepError(f"{source.module} has hash {found['Sum']}, but {source.sum} is pinned")
    return Path(found["Dir"])


def _copy(source: Path, target: Path) -> None:
    """Copy without permissions, because Go's cache is read-only."""
    for file in source.rglob("*") if source.is_dir() else (source,):
        if file.is_file():
            to = target / file.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, to)
