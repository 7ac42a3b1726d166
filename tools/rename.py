"""`./seamless rename NAME`: another name for the project, everywhere that it stands, at once.

What bears the project's name in a cloud asks Pulumi for it. It is written down in `Pulumi.yaml`, in
`pyproject.toml` with `uv.lock`, and before the keys that Pulumi wrote into a stack's file. What is
called seamless and is no name of the project stays: the command, its folder `.seamless` and its
cache; the type tokens `seamless:…` and the labels `seamless.dev/…`, which an upgrade must find as
they were; the metrics `seamless_…`, which dashboards ask for.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml

from tools.workspace import CommandError

LONGEST = 63
"""Of a DNS label (RFC 1035, 2.3.4); Pulumi takes 100."""

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def rename(root: Path, name: str) -> list[Path]:
    """Give the project in a folder another name; return the files that changed, relative to it.

    Raises:
        CommandError: when the name breaks its rule, or something is deployed under the old one.
    """
    if rule := broken_by(name, root):
        raise CommandError(
            f"The name is {name!r}, but {rule}. Take another: ./seamless rename NAME"
        )
    new = {path: text for path, text in _renamed(root, name) if text != path.read_text()}
    if root / "Pulumi.yaml" in new and (stacks := _deployed(root)):
        raise CommandError(
            f"{', '.join(stacks)} would be lost to Pulumi, since every URN has the project's name "
            f"in it. First: {' && '.join(f'./seamless down {stack}' for stack in stacks)}"
        )
    for path, text in new.items():
        path.write_text(text)
    return [path.relative_to(root) for path in new]


def broken_by(name: str, root: Path) -> str:
    """The rule that a project's name breaks; empty for none.

    It becomes a tag, a label and the title of what Pulumi does not name; before a config key it
    must not be taken for a provider, nor in `pyproject.toml` for a package that we need.
    """
    if len(name) > LONGEST:
        return f"it may have {LONGEST} characters, and has {len(name)}"
    if not _NAME.fullmatch(name):
        return (
            "it may have lower-case letters, digits and hyphens, and must begin with a letter and "
            "end with a letter or a digit"
        )
    lock = tomllib.loads((root / "uv.lock").read_text())
    packages = {row["name"] for row in lock["package"] if "virtual" not in row["source"]}
    if name in packages or f"pulumi-{name}" in packages:
        return "a package that the project needs has that name"
    return ""


def _renamed(root: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Every file that holds the name, with the text that it would have."""
    project, packaging = root / "Pulumi.yaml", root / "pyproject.toml"
    # They differ after `pulumi new`, which writes only the first.
    former = {
        yaml.safe_load(project.read_text())["name"],
        tomllib.loads(packaging.read_text())["project"]["name"],
    }
    old = "|".join(map(re.escape, sorted(former)))
    yield project, re.sub(rf"^name: (?:{old})$", f"name: {name}", project.read_text(), flags=re.M)
    for path in (packaging, root / "uv.lock"):
        # In the lock other packages have lines of the same form, but none of the same name.
        yield (
            path,
            re.sub(rf'^name = "(?:{old})"$', f'name = "{name}"', path.read_text(), flags=re.M),
        )
    for path in sorted((root / "stacks").glob("Pulumi.*.yaml")):
        yield path, re.sub(rf"^(\s+)(?:{old}):", rf"\g<1>{name}:", path.read_text(), flags=re.M)


def _deployed(root: Path) -> list[str]:
    """The stacks in the state of this clone, whichever project they are of."""
    stacks = root / ".seamless" / "state" / ".pulumi" / "stacks"
    return sorted({path.stem for path in stacks.rglob("*.json")})
