"""Every public name has a docstring, and every command in a document is valid."""

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest
import typer.main
import yaml

from functions.settings import Settings
from stacks.outputs import Outputs
from tests.support.documents import PAGES, lines
from tools.__main__ import app
from tools.docs import generate, tables
from tools.workspace import ROOT

FOLDERS = ("catalog", "components", "stacks", "functions", "policies", "analysis", "tools")

OVERRIDES = {"create", "diff", "update", "delete", "check", "read", "configure"}
"""Methods that Pulumi documents."""

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

COMMANDS = typer.main.get_group(app)


def undocumented(path: Path) -> Iterator[str]:
    """Public modules, classes, functions and methods without a docstring."""
    module = ast.parse(path.read_text())
    if module.body and ast.get_docstring(module) is None:
        yield path.relative_to(ROOT).as_posix()
    waiting: list[tuple[str, ast.AST]] = [("", module)]
    while waiting:
        prefix, parent = waiting.pop()
        for node in ast.iter_child_nodes(parent):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{node.name}"
                if node.name.startswith("_"):
                    continue
                if isinstance(node, ast.ClassDef):
                    waiting.append((f"{name}.", node))
                elif node.decorator_list or (prefix and _is_described_elsewhere(node)):
                    continue
                if ast.get_docstring(node) is None:
                    yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {name}"


def _is_described_elsewhere(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """True for methods of Pulumi's protocols and declarations of a Protocol."""
    declared = ast.unparse(method.body[-1]) == "..."
    return declared or method.name in OVERRIDES or method.name[0].isupper()


def shown() -> Iterator[tuple[str, list[str]]]:
    """Every ./seamless line of the documents."""
    for line in (line for page in PAGES for line in lines(page)):
        if line.text.startswith("./seamless "):
            yield line.document, shlex.split(line.text.partition(" && ")[0])[1:]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_public_name_has_a_docstring(folder: str) -> None:
    assert [found for path in (ROOT / folder).rglob("*.py") for found in undocumented(path)] == []


def test_every_config_value_command_argument_and_option_has_a_description() -> None:
    config = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    lacking = [
        f"{name} {parameter.name}"
        for name, command in COMMANDS.commands.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]

    assert [k for k, entry in config.items() if ":" not in k and not entry["description"]] == []
    assert [name for name, command in COMMANDS.commands.items() if not command.help] == []
    assert lacking == []


def test_every_error_code_component_rule_and_argument_has_a_description() -> None:
    assert all(text for _, text in tables.errors())
    assert all(component.text for component in tables.components())
    assert all(all(row) for row in tables.policies())
    arguments = [
        (f"{component.name} {name}", name.strip("`"), meaning)
        for component in tables.components()
        for name, _, _, meaning in component.arguments
    ]

    assert [where for where, _, meaning in arguments if not meaning] == []
    used = {name for _, name, meaning in arguments if meaning == tables.RECURRING.get(name)}
    assert tables.RECURRING.keys() - used == set()


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("outputs", [field.name for field in fields(Outputs)]),
        ("environment", [field.name.upper() for field in fields(Settings)]),
        ("commands", [f"./seamless {name}" for name in COMMANDS.commands]),
    ],
)
def test_every_public_name_has_a_row_in_the_reference(page: str, names: list[str]) -> None:
    text = (ROOT / "docs" / "reference" / f"{page}.md").read_text()

    assert [name for name in names if not re.search(rf"^\| `{name}` \| \S", text, re.M)] == []


def test_every_generated_part_is_in_one_document_and_current() -> None:
    texts = [path.read_text() for path in DOCUMENTS]

    for name in generate.PARTS:
        assert sum(f"<!-- begin {name} -->" in text for text in texts) == 1, name
    assert generate.stale() == []


def test_the_index_links_every_page() -> None:
    docs = ROOT / "docs"
    index = (docs / "README.md").read_text()
    pages = [path.relative_to(docs).as_posix() for path in docs.rglob("*.md")]

    assert [page for page in pages if "decisions/" not in page and f"({page})" not in index] == [
        "README.md"
    ]


def test_the_readme_is_short_and_has_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text()

    assert len(readme.splitlines()) <= 120
    assert re.search(r"^```\n\./seamless up\n\./seamless test\n```$", readme, re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_is_valid(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())

    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize(("document", "words"), list(shown()))
def test_every_command_in_a_document_is_valid(document: str, words: list[str]) -> None:
    command = COMMANDS.commands[words[0]]
    given = [word for word in words[1:] if not re.fullmatch(r"\[?…\]?|\.\.\.", word)]

    try:
        command.make_context(words[0], given, resilient_parsing=False)
    except click.exceptions.MissingParameter as error:
        pytest.fail(f"{document}: {error.format_message()}")


def test_a_config_that_differs_from_the_schema_is_replaced_and_tags_of_the_engine_stay() -> None:
    text = (ROOT / "Pulumi.yaml").read_text()
    assert generate.project(text.replace("default: 32768", "default: 1")) == text

    project = yaml.safe_load(text)
    project["config"]["pulumi:tags"] = {"value": {"pulumi:template": "seamless"}}
    text = yaml.safe_dump(project)

    assert generate.project(text) == text
