"""`pulumi new` from this project."""

import os
import subprocess
import tempfile
from pathlib import Path

from tests.engine.clone import NEW
from tools.engine import ensure


def new(template: Path, root: Path) -> str:
    """Make a project called NEW in an empty folder, and return what was printed.

    Without a backend and without a network.
    """
    options = ("--name", NEW, "--generate-only", "--yes", "--offline")
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [str(ensure(print).command), "new", str(template), *options],
            cwd=root,
            env=environment(Path(home)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(home: Path) -> dict[str, str]:
    """This process's, with an engine, and without a login of whoever runs the tests."""
    others = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
    engine = ensure(print).environment(language_host=True)
    return others | engine | {"PULUMI_HOME": str(home)}
