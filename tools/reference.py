"""What the reference pages say, read from the source: components, error codes, rules."""

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from functions.errors import Code
from policies.catalogue import RULES
from tools.workspace import ROOT

RECURRING = {
    "ami_type": "Image of its nodes, as EKS calls it.",
    "api_key": "Secret. Key of the model's endpoint.",
    "arrivals": "The queue whose dead letters are watched.",
    "base_url": "Of the endpoint, ending in `/v1`.",
    "bucket_arn": "The bucket that may write to it.",
    "certificate_authority": "PEM of the authority behind the endpoint; empty is a public one.",
    "cluster": "The cluster that it runs in.",
    "database": "The database that the functions are told of, or that is watched.",
    "description": "What a person reads of it at the cloud.",
    "disk_gib": "Of each node.",
    "entrance": "How callers come in from outside.",
    "extras": "What the cluster has beside a model.",
    "functions": "The functions that are watched.",
    "hugging_face_token": "Secret. Of somebody who accepted the licence of a gated model.",
    "inference": "The endpoints that the functions are told of, in order.",
    "instance_type": "Of each node.",
    "maximum": "Nodes that may run.",
    "minimum": "Nodes that always run.",
    "model": "Name that the endpoint is asked for.",
    "namespace": "Of Kubernetes.",
    "network": "Where it lies, and who reaches whom.",
    "page_url": "What is looked at from outside.",
    "production": "True says so in the project.",
    "protect": "True refuses to delete what it holds.",
    "region": "Of the cloud.",
    "replica_port": "Of each replica.",
    "replicas": "For which a GPU is kept warm.",
    "role_arn": "What its nodes are allowed.",
    "rules": "What the account may do, as a Role of Kubernetes has it.",
    "rung": "Step of the inference ladder, which the functions show.",
    "server": "The replicas that are scaled.",
    "server_port": "Of each replica.",
    "serving": "The model, and the shape of a replica.",
    "sharing": "How GPUs are handed out.",
    "store": "The store that the functions are told of, and may use.",
    "subnet_ids": "Where its nodes are.",
    "tags": "What its costs are sorted by.",
    "upstream_labels": "Of the pods that answer.",
    "upstream_port": "Of the Service that answers.",
    "weights": "The volume that it serves from.",
}
"""What an argument means wherever a component does not say it otherwise."""

EVERYWHERE = {"name", "opts"}
"""What every component takes."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component resource, and what it is made of.

    Attributes:
        name: As a program imports it: `aws.store.Store`.
        file: Relative to the project.
        text: The first paragraph of its docstring.
        arguments: Name, type, default and meaning of each, but for those of every component.
    """

    name: str
    file: str
    text: str
    arguments: Sequence[Sequence[str]]


def components() -> Iterator[Component]:
    """Every component of `components/`, by file."""
    for path in sorted((ROOT / "components").rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(
                ast.unparse(base).endswith("ComponentResource") for base in node.bases
            ):
                module = path.relative_to(ROOT / "components").with_suffix("")
                yield Component(
                    name=".".join([*module.parts, node.name]),
                    file=path.relative_to(ROOT).as_posix(),
                    text=" ".join((ast.get_docstring(node) or "").split("\n\n")[0].split()),
                    arguments=list(_arguments(node)),
                )


def errors() -> Iterator[tuple[str, str]]:
    """Every error code with the text below it."""
    tree = ast.parse(inspect.getsource(Code))
    texts = dict(_members(next(node for node in tree.body if isinstance(node, ast.ClassDef))))
    for code in Code:
        yield f"`{code}`", texts[code.name]


def policies() -> Iterator[tuple[str, ...]]:
    """Every rule of the pack."""
    for rule in RULES:
        yield (rule.id, rule.title, rule.severity, rule.enforcement, rule.remedy, rule.source)


def _arguments(node: ast.ClassDef) -> Iterator[list[str]]:
    (init,) = (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    text = inspect.cleandoc(ast.get_docstring(init, clean=False) or "").partition("Args:")[2]
    lines = re.findall(r"^ *(\w+): (.+(?:\n +(?!\w+: ).+)*)", text, re.MULTILINE)
    meanings = {name: " ".join(meaning.split()) for name, meaning in lines}
    given = [*init.args.args[1:], *init.args.kwonlyargs]
    defaults = [
        *[None] * (len(init.args.args) - len(init.args.defaults) - 1),
        *init.args.defaults,
        *init.args.kw_defaults,
    ]
    for argument, default in zip(given, defaults, strict=True):
        if argument.arg in EVERYWHERE:
            continue
        yield [
            f"`{argument.arg}`",
            f"`{ast.unparse(argument.annotation)}`" if argument.annotation else "",
            f"`{ast.unparse(default)}`" if default else "required",
            meanings.get(argument.arg) or RECURRING.get(argument.arg, ""),
        ]


def _members(found: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for line, below in zip(found.body, found.body[1:], strict=False):
        if isinstance(line, ast.Assign) and isinstance(below, ast.Expr):
            yield ast.unparse(line.targets[0]), ast.literal_eval(below.value)
