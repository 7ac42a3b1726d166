"""The git history of a folder of a test, with an author of its own."""

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Run a git command, check its status, and return its output."""
    author = ["-c", "user.name=author", "-c", "user.email=author@example.com"]
    return subprocess.run(
        ["git", *author, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def commit(folder: Path, message: str) -> None:
    """Commit the folder on the branch `main`."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
