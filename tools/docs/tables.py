"""Rows of the reference pages, read from the source: components, error codes, policies."""

import ast
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from functions.errors import Code
from policies.catalogue import RULES
from tools.workspace import ROOT

RECURRING = {
    "after": "Resources that must exist before anything that is billed.",
    "ami_type": "Image of the nodes: an EKS AMI type.",
    "api_key": "Secret. Key of the model's endpoint.",
    "arrivals": "The queue whose dead-letter queue is monitored.",
    "base_url": "Base URL of the endpoint, ending in `/v1`.",
    "bucket_arn": "ARN of the bucket that may write to it.",
    "certificate_authority": "PEM of the endpoint's private CA; empty for a public one.",
    "cluster": "The cluster that it runs in.",
    "database": "The database.",
    "description": "Text shown in the cloud's console.",
    "disk_gib": "Disk of each node, in GiB.",
    "exposure": "How clients outside the cluster reach the model.",
    "options": "What the cluster runs beside the model.",
    "functions": "The functions to monitor.",
    "hugging_face_token": "Secret. Token of an account that accepted a gated model's licence.",
    "inference": "The inference endpoints, in order of preference.",
    "instance_type": "Machine type of the nodes.",
    "model": "Model name in requests.",
    "namespace": "Kubernetes namespace.",
    "network": "The network: subnets and security groups.",
    "page_url": "URL that the uptime check requests.",
    "production": "True marks the project as production.",
    "region": "Region of the cloud.",
    "replica_port": "Port of each replica.",
    "replicas": "Replicas for which a GPU is kept warm.",
    "role_arn": "ARN of the nodes' IAM role.",
    "inference_mode": "The inference mode, which the API reports.",
    "server": "The model server that is scaled.",
    "server_port": "Port of each replica.",
    "model_spec": "The model and the shape of a replica.",
    "sharing": "How pods share GPUs.",
    "store": "The object store that the functions use.",
    "tags": "Cost-allocation tags.",
    "upstream_labels": "Labels of the pods that serve.",
    "upstream_port": "Port of the Service that serves.",
    "weights": "The volume that holds the weights.",
}
"""Meaning of an argument whose component does not document it."""

EVERYWHERE = {"name", "opts"}
"""Arguments of every component."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component resource and its arguments.

    Attributes:
        name: As a program imports it: `aws.store.Store`.
        file: Relative to the project.
        text: The first paragraph of its docstring.
        arguments: Name, type, default and meaning of each, without `EVERYWHERE`.
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
    """Every error code with the string literal below it."""
    tree = ast.parse(inspect.getsource(Code))
    texts = dict(_members(next(node for node in tree.body if isinstance(node, ast.ClassDef))))
    for code in Code:
        yield f"`{code}`", texts[code.name]


def policies() -> Iterator[tuple[str, ...]]:
    """Every policy of the pack."""
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
