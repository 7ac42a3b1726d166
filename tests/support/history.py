"""The git history of a folder that a test made, by an author of nobody's configuration."""

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Run a git command, which succeeds, and return what it printed."""
    author = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    return subprocess.run(
        ["git", *author, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def commit(folder: Path, message: str) -> None:
    """Commit all that is in the folder, on the branch `main`."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
