"""`pulumi new` from this project."""

import os
import subprocess
import tempfile
from pathlib import Path

from tests.support.engine.clone import NEW
from tools.engine.installation import ensure


def new(template: Path, root: Path) -> str:
    """Create a project called NEW in an empty folder, without a login, and return the output."""
    engine = ensure(print)
    others = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
    options = ("--name", NEW, "--generate-only", "--yes", "--offline")
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [str(engine.command), "new", str(template), *options],
            cwd=root,
            env=others | engine.environment(language_host=True) | {"PULUMI_HOME": home},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
