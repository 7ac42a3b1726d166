"""The generated parts of the documentation: `./seamless docs` writes, `./seamless check` checks.

A generated part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import typer.main
import yaml

from tools import reference, sizing
from tools.workspace import ROOT, CommandError

_PART = re.compile(r"(<!-- begin (?P<name>[\w-]+) -->\n).*?(<!-- end (?P=name) -->)", re.DOTALL)

REMOVABLE = {
    name: (
        f"stacks/{name}.py",
        f"stacks/ladder/{name}.py",
        f"stacks/Pulumi.{name}.yaml",
        f"tests/stacks/test_{name}.py",
        *(
            f"tests/stacks/inventories/{name}-{mode}.yaml"
            for mode in ("cluster", "dedicated", "serverless")
        ),
        f"docs/{name}.md",
    )
    for name in ("integrated", "split")
}
"""What belongs to an arrangement alone, so that a fork may delete it."""


def stale() -> list[Path]:
    """Documents, relative to the project, whose generated parts are not what they would be now."""
    return [path.relative_to(ROOT) for path, old, new in _documents() if old != new]


def write() -> list[Path]:
    """Write the generated parts anew; return the documents that changed."""
    changed = []
    for path, old, new in _documents():
        if old != new:
            path.write_text(new)
            changed.append(path.relative_to(ROOT))
    return changed


def _documents() -> Iterator[tuple[Path, str, str]]:
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
        old = path.read_text()
        yield path, old, _PART.sub(_fill, old)


def _fill(match: re.Match[str]) -> str:
    name = match["name"]
    if name not in PARTS:
        raise CommandError(f"A document asks for a generated part {name!r}, which nothing makes.")
    return f"{match[1]}\n{PARTS[name]()}\n\n{match[3]}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def _config() -> str:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    return _table(
        ["key", "type", "default", "meaning"],
        (
            [
                f"`{key}`",
                entry["type"],
                f"`{entry['default']}`" if entry["default"] != "" else "empty",
                entry["description"],
            ]
            for key, entry in project["config"].items()
            if ":" not in key  # another's, such as the tags that `pulumi new` writes
        ),
    )


def _commands() -> str:
    from tools.__main__ import app

    group = typer.main.get_group(app)
    return _table(
        ["command", "does"],
        (
            [f"`./seamless {name}`", (command.help or "").strip().splitlines()[0]]
            for name, command in group.commands.items()
        ),
    )


def _outputs() -> str:
    return _table(["output", "meaning"], _described(ROOT / "stacks" / "outputs.py", "Outputs"))


def _variables() -> str:
    """The application's environment, from the docstring of its settings."""
    tree = ast.parse((ROOT / "functions" / "settings.py").read_text())
    (settings,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Settings")
    text = ast.get_docstring(settings) or ""
    lines = re.findall(r"^    (\w+): (.+(?:\n        .+)*)", text, re.MULTILINE)
    return _table(
        ["variable", "meaning"], ([f"`{n.upper()}`", " ".join(m.split())] for n, m in lines)
    )


def _described(file: Path, name: str) -> Iterator[list[str]]:
    """Each field of a class with the text below it."""
    tree = ast.parse(file.read_text())
    (found,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    for line, below in zip(found.body, found.body[1:], strict=False):
        if (
            isinstance(line, ast.AnnAssign)
            and isinstance(line.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            yield [f"`{line.target.id}`", str(below.value.value)]


def _sizing() -> str:
    return _table(
        ["model", "context", "platform", "cheapest", "TP", "USD/h", "GiB for cache", "requests"],
        sizing.answers(),
    )


def _sizing_published() -> str:
    head = ["model", "server, utilization", "tokens logged", "tokens computed"]
    return _table(
        [*head, "GiB logged", "GiB foretold", "source, date"],
        sizing.comparisons(),
    )


def _arrangements() -> str:
    return _table(
        ["arrangement", "remove"],
        ([name, f"`git rm {' '.join(files)}`"] for name, files in REMOVABLE.items()),
    )


PARTS: dict[str, Callable[[], str]] = {
    "arrangements": _arrangements,
    "commands": _commands,
    "components": lambda: "\n\n".join(
        f"### {part.name}\n\n`{part.file}`. {part.text}\n\n"
        + _table(["argument", "type", "default", "meaning"], part.arguments)
        for part in reference.components()
    ),
    "config": _config,
    "errors": lambda: _table(["code", "meaning"], reference.errors()),
    "outputs": _outputs,
    "policies": lambda: _table(
        ["rule", "demands", "severity", "enforcement", "remedy", "source"], reference.policies()
    ),
    "sizing": _sizing,
    "sizing-published": _sizing_published,
    "variables": _variables,
}
"""What makes each generated part, by its name between the markers."""
