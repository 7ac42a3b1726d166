"""`./seamless rename NAME`: rename the project.

The name is written in `Pulumi.yaml`, in `pyproject.toml` and `uv.lock`, and before the keys that
Pulumi wrote into a stack's file; resources in a cloud get it from Pulumi. These names stay: the
command, its folder `.seamless` and its cache; the type tokens `seamless:…` and the labels
`seamless.dev/…`, which an upgrade must find unchanged; the metrics `seamless_…` of dashboards.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

from tools.workspace import CommandError

LONGEST = 63
"""Characters of a DNS label (RFC 1035, 2.3.4); Pulumi allows 100."""

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def rename(root: Path, name: str) -> list[Path]:
    """Rename the project in a folder; return the changed files, relative to it.

    Raises:
        CommandError: the name is invalid, or a stack is deployed under the old one.
    """
    if rule := broken_by(name, root):
        raise CommandError(
            f"Invalid project name {name!r}: {rule}. Use another: ./seamless rename NAME"
        )
    new = {path: text for path, text in _renamed(root, name) if text != path.read_text()}
    if root / "Pulumi.yaml" in new and (stacks := _deployed(root)):
        raise CommandError(
            f"State of {', '.join(stacks)} would be lost: the project's name is part of every URN. "
            f"First: {' && '.join(f'./seamless down {stack}' for stack in stacks)}"
        )
    for path, text in new.items():
        path.write_text(text)
    return [path.relative_to(root) for path in new]


def broken_by(name: str, root: Path) -> str:
    """The rule that a project name breaks; empty for none.

    The name becomes a tag, a label and a title. It must not equal a provider's name, which would
    own its config keys, nor a package of `pyproject.toml`.
    """
    if len(name) > LONGEST:
        return f"at most {LONGEST} characters, this one has {len(name)}"
    if not _NAME.fullmatch(name):
        return (
            "lower-case letters, digits and hyphens only, beginning with a letter and ending with "
            "a letter or a digit"
        )
    lock = tomllib.loads((root / "uv.lock").read_text())
    packages = {row["name"] for row in lock["package"] if "virtual" not in row["source"]}
    if name in packages or f"pulumi-{name}" in packages:
        return "a package that the project needs has this name"
    return ""


def _renamed(root: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Every file with the name, and its new text."""
    project, packaging = root / "Pulumi.yaml", root / "pyproject.toml"
    # They differ after `pulumi new`, which writes only `Pulumi.yaml`.
    former = {
        yaml.safe_load(project.read_text())["name"],
        tomllib.loads(packaging.read_text())["project"]["name"],
    }
    old = "|".join(map(re.escape, sorted(former)))
    yield project, re.sub(rf"^name: (?:{old})$", f"name: {name}", project.read_text(), flags=re.M)
    for path in (packaging, root / "uv.lock"):
        # Other packages in the lock have such lines, but `broken_by` refuses their names.
        yield (
            path,
            re.sub(rf'^name = "(?:{old})"$', f'name = "{name}"', path.read_text(), flags=re.M),
        )
    for path in sorted((root / "stacks").glob("Pulumi.*.yaml")):
        yield path, re.sub(rf"^(\s+)(?:{old}):", rf"\g<1>{name}:", path.read_text(), flags=re.M)


def _deployed(root: Path) -> list[str]:
    """The stacks in the state of this clone, of any project."""
    stacks = root / ".seamless" / "state" / ".pulumi" / "stacks"
    return sorted({path.stem for path in stacks.rglob("*.json")})
