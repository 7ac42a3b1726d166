"""The tree is the architecture: who may import whom, and that no cloud's name decides anything.

Imports are read from the source, so that an import inside a function counts, too. What a name
hides behind `getattr` or a string is not found.
"""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import functions

ROOT = Path(__file__).resolve().parents[1]

OURS = [
    "analysis", "benchmarks", "build", "catalog", "components", "functions", "policies",
    "preflight", "sizing", "stacks", "tests", "tools",
]  # fmt: skip

ALLOWED = {
    "catalog": [],
    "functions": [],
    "build": [],
    "policies": [],
    "sizing": ["catalog"],
    "components": ["build", "catalog", "functions", "sizing"],
    "stacks": ["build", "catalog", "components", "functions", "sizing"],
    "preflight": ["catalog", "components", "functions", "policies", "sizing"],
    "analysis": ["catalog", "functions", "policies", "stacks"],
    "tools": [folder for folder in OURS if folder != "tests"],
}
"""By folder, the other folders of this project that it may import."""

FORBIDDEN = {
    **{
        folder: [other for other in OURS if other not in (folder, *allowed)]
        for folder, allowed in ALLOWED.items()
    },
    "components/aws": ["components.digitalocean", "components.local"],
    "components/digitalocean": ["components.aws", "components.local"],
    "components/local": ["components.aws", "components.digitalocean", "components.kubernetes"],
    "components/kubernetes": ["components.aws", "components.digitalocean", "components.local"],
    "components/local/model_server": ["pulumi", "functions", "components.contracts"],
    **{
        f"functions/{room}": [f"functions.{above}" for above in rooms]
        for room, rooms in {
            "inference": ["storage", "summary", "documents", "application", "api", "handlers"],
            "storage": ["summary", "application", "api", "handlers"],
            "documents": ["inference", "storage", "summary", "application", "api", "handlers"],
            "summary": ["storage", "documents", "application", "api", "handlers"],
            "api": ["handlers"],
        }.items()
    },
}
"""By folder, what it never imports."""

WITHOUT_PULUMI = ["catalog", "functions", "sizing", "preflight"]
"""Folders that import no Pulumi SDK."""

SHIPPED = ["build", "catalog", "functions", "components", "sizing", "stacks"]

PROVIDED = {
    ("functions/handlers/aws_secrets.py", "boto3"),
    ("functions/handlers/aws_queue.py", "boto3"),
    ("functions/handlers/aws_queue.py", "botocore"),
}
"""What a platform's runtime brings: by file, because nothing else may count on it."""

PLACES = {"integrated", "split", "local", "aws", "digitalocean"}
"""Names of variants and clouds."""


def sources(folder: str) -> list[Path]:
    """All Python files of a folder."""
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            for name in node.names:
                yield node.lineno, f"{module}.{name.name}"


def where(path: Path, line: int) -> str:
    """A place in the source that an editor can open."""
    return f"{path.relative_to(ROOT)}:{line}"


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_dependencies_point_one_way(folder: str) -> None:
    offences = [
        f"{where(path, line)} imports {name}"
        for path in sources(folder)
        for line, name in imports(path)
        for forbidden in FORBIDDEN[folder]
        if f"{name}.".startswith(f"{forbidden}.")
    ]

    assert offences == []


@pytest.mark.parametrize("folder", WITHOUT_PULUMI)
def test_facts_and_the_application_import_no_pulumi(folder: str) -> None:
    offences = [
        f"{where(path, line)} imports {name}"
        for path in sources(folder)
        for line, name in imports(path)
        if name.startswith("pulumi")
    ]

    assert offences == []


def test_every_folder_with_code_has_a_rule() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert folders == set(OURS)
    assert folders - {"tests", "benchmarks"} == ALLOWED.keys()


def test_imports_of_every_form_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "a" / "b" / "c.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "import one, two.three as x\nfrom four import five\nfrom . import six\n"
        "from .seven import eight\nfrom .. import nine\n"
        "def f():\n    from ten.eleven import twelve\n"
    )

    assert list(imports(path)) == [
        (1, "one"),
        (1, "two.three"),
        (2, "four.five"),
        (3, "a.b.six"),
        (4, "a.b.seven.eight"),
        (5, "a.nine"),
        (7, "ten.eleven.twelve"),
    ]


@pytest.mark.parametrize("folder", SHIPPED)
def test_what_is_shipped_imports_only_what_is_shipped_with_it(folder: str) -> None:
    shipped = _with_all_they_need(_project()["dependencies"])
    known = packages_distributions()

    offences = {
        f"{where(path, line)} imports {name}"
        for path in sources(folder)
        for line, name in imports(path)
        if (top := name.partition(".")[0]) not in sys.stdlib_module_names
        and not (ROOT / top).is_dir()
        and not shipped & {canonicalize_name(found) for found in known.get(top, [])}
        and (path.relative_to(ROOT).as_posix(), top) not in PROVIDED
    }

    assert {"httpx", "psycopg-pool"} <= shipped
    assert "pytest" not in shipped
    assert offences == set()


@pytest.mark.parametrize(
    "module", ["components.local.model_server.__main__", "functions.handlers.local"]
)
def test_what_runs_beside_pulumi_runs_without_it(module: str) -> None:
    script = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, check=True
    )

    tops = {name.partition(".")[0] for name in json.loads(loaded.stdout)}
    assert module.partition(".")[0] in tops
    assert "pulumi" not in tops


@pytest.mark.parametrize("folder", ["functions", "components"])
def test_no_decision_is_made_by_the_name_of_a_cloud(folder: str) -> None:
    offences = [where(path, line) for path in sources(folder) for line in _decisions(path)]

    assert offences == []


def test_decisions_of_every_form_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "if x == 'aws': pass\n"
        "y = 1 if 'split' != x else 2\n"
        "while x in ('a', 'digitalocean'): pass\n"
        "match x:\n    case 'local': pass\n"
        "z = {'aws': 1}\n"
        "if x == 'awsome': pass\n"
    )

    assert list(_decisions(path)) == [1, 2, 3, 5]


def test_there_is_one_version() -> None:
    assert functions.__version__ == _project()["version"]


def _decisions(path: Path) -> Iterator[int]:
    lines = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Compare | ast.MatchValue):
            names = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
            if names & PLACES:
                lines.add(node.lineno)
    yield from sorted(lines)


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _with_all_they_need(requirements: list[str]) -> set[str]:
    """Names of the distributions that these requirements install here."""
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += _needs(name, extra)
    return {name for name, _ in seen}


def _needs(name: str, extra: str) -> list[Requirement]:
    try:
        needs = [Requirement(line) for line in distribution(name).requires or []]
    except PackageNotFoundError:  # not for this platform
        return []
    return [need for need in needs if not need.marker or need.marker.evaluate({"extra": extra})]
