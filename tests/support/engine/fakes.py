"""Small programs that stand in for python, uv, go and pulumi on a PATH of their own."""

from pathlib import Path


def program(folder: Path, name: str, script: str) -> Path:
    """Write an executable shell script called `name` in `folder`, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
