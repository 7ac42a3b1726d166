"""The generated parts of documents and of `Pulumi.yaml`.

A generated part is the text between `<!-- begin NAME -->` and `<!-- end NAME -->`.
"""

import ast
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import yaml

from preflight.aws_permissions import PHASES
from stacks.config_schema import project_config
from tools.docs import fact_tables, iam_policies, sizing, tables
from tools.workspace import ROOT, CommandError

_PART = re.compile(r"(<!-- begin (?P<name>[\w-]+) -->\n).*?(<!-- end (?P=name) -->)", re.DOTALL)

_CONFIG = re.compile(r"(  # begin config.*?\n).*?(  # end config\n)", re.DOTALL)

REMOVABLE = {
    name: (
        f"stacks/{name}.py",
        f"stacks/inference/{name}.py",
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
"""Files that only one variant needs; a fork may delete them."""


def stale() -> list[Path]:
    """Documents whose generated parts are out of date; paths relative to the project."""
    return [path.relative_to(ROOT) for path, old, new in _documents() if old != new]


def write() -> list[Path]:
    """Rewrite the generated parts; return the documents that changed."""
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
    path = ROOT / "Pulumi.yaml"
    old = path.read_text()
    yield path, old, project(old)


def project(text: str) -> str:
    """`Pulumi.yaml` with the config of the schema; unchanged where it says the same.

    The engine writes the file, too (`pulumi new`), in another form and with keys of its own.
    """
    config = yaml.safe_load(text)["config"] or {}
    if {key: entry for key, entry in config.items() if ":" not in key} == project_config():
        return text
    rows = yaml.safe_dump(project_config(), sort_keys=False, allow_unicode=True, width=1000)
    if not _CONFIG.search(text):
        raise CommandError("Pulumi.yaml differs from stacks/config.py and has no # begin config.")
    return _CONFIG.sub(lambda part: part[1] + textwrap.indent(rows, "  ") + part[2], text)


def _fill(match: re.Match[str]) -> str:
    name = match["name"]
    if name not in PARTS:
        raise CommandError(f"Unknown generated part {name!r}. Known: {', '.join(PARTS)}.")
    return f"{match[1]}\n{PARTS[name]()}\n\n{match[3]}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def _config() -> str:
    return _table(
        ["key", "type", "default", "meaning"],
        (
            [
                f"`{key}`",
                entry["type"],
                f"`{entry['default']}`" if entry["default"] != "" else "empty",
                entry["description"],
            ]
            for key, entry in project_config().items()
        ),
    )


def _commands() -> str:
    tree = ast.parse((ROOT / "tools" / "__main__.py").read_text())
    return _table(
        ["command", "does"],
        (
            [f"`./seamless {node.name}`", " ".join((ast.get_docstring(node) or "").split())]
            for node in tree.body
            if isinstance(node, ast.FunctionDef)
            and any("app.command" in ast.unparse(decorator) for decorator in node.decorator_list)
        ),
    )


def _outputs() -> str:
    return _table(["output", "meaning"], _described(ROOT / "stacks" / "outputs.py", "Outputs"))


def _environment() -> str:
    """The environment variables of the functions, from the docstring of `Settings`."""
    tree = ast.parse((ROOT / "functions" / "settings.py").read_text())
    (settings,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Settings")
    text = ast.get_docstring(settings) or ""
    lines = re.findall(r"^    (\w+): (.+(?:\n        .+)*)", text, re.MULTILINE)
    return _table(
        ["variable", "meaning"], ([f"`{n.upper()}`", " ".join(m.split())] for n, m in lines)
    )


def _described(file: Path, name: str) -> Iterator[list[str]]:
    """Each field of a class with the string literal below it."""
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
        [*head, "GiB logged", "GiB predicted", "source, date"],
        sizing.comparisons(),
    )


def _variants() -> str:
    return _table(
        ["variant", "remove"],
        ([name, f"`git rm {' '.join(files)}`"] for name, files in REMOVABLE.items()),
    )


PARTS: dict[str, Callable[[], str]] = {
    "charts": lambda: _table(fact_tables.CHART_HEAD, fact_tables.charts()),
    "commands": _commands,
    "components": lambda: "\n\n".join(
        f"### {part.name}\n\n`{part.file}`. {part.text}\n\n"
        + _table(["argument", "type", "default", "meaning"], part.arguments)
        for part in tables.components()
    ),
    "config": _config,
    "environment": _environment,
    "errors": lambda: _table(["code", "meaning"], tables.errors()),
    "gpus": lambda: _table(fact_tables.GPU_HEAD, fact_tables.gpus()),
    "images": lambda: _table(fact_tables.IMAGE_HEAD, fact_tables.images()),
    "machines": lambda: _table(fact_tables.MACHINE_HEAD, fact_tables.machines()),
    "models": lambda: _table(fact_tables.MODEL_HEAD, fact_tables.models()),
    "outputs": _outputs,
    "iam-deploy": lambda: iam_policies.blocks(PHASES),
    "iam-preview": lambda: iam_policies.blocks(iam_policies.PREVIEW),
    "policies": lambda: _table(
        ["policy", "rule", "severity", "enforcement", "remedy", "source"], tables.policies()
    ),
    "prices": lambda: _table(fact_tables.PRICE_HEAD, fact_tables.prices()),
    "providers": lambda: _table(fact_tables.PROVIDER_HEAD, fact_tables.providers()),
    "recorded-run": lambda: _table(fact_tables.RECORDING_HEAD, fact_tables.recording()),
    "regions": lambda: _table(fact_tables.REGION_HEAD, fact_tables.regions()),
    "sizing": _sizing,
    "sizing-published": _sizing_published,
    "variants": _variants,
}
"""The function that generates each part, by the name in its markers."""
