"""Components, error codes and policies, read from the source for the reference pages."""

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
    "arrivals": "Queue whose dead letters raise an alarm.",
    "base_url": "URL of the endpoint, ending in `/v1`.",
    "bucket_arn": "Bucket that may write to it.",
    "certificate_authority": "PEM of the endpoint's certificate authority; empty for a public one.",
    "cluster": "Cluster that it runs in.",
    "database": "Database that the functions use, or that is monitored.",
    "description": "Text shown in the cloud's console.",
    "disk_gib": "Disk of each node in GiB.",
    "entrance": "Load balancer in front of the endpoint.",
    "extras": "Parts of the cluster beside the model.",
    "functions": "Functions that are monitored.",
    "hugging_face_token": "Secret. Token of an account that accepted the licence of a gated model.",
    "inference": "Endpoints that the functions call, in order of preference.",
    "instance_type": "Instance type of each node.",
    "maximum": "Largest number of nodes.",
    "minimum": "Smallest number of nodes.",
    "model": "Model name in requests to the endpoint.",
    "namespace": "Kubernetes namespace.",
    "network": "VPC with its subnets and security groups.",
    "page_url": "URL that the uptime check requests.",
    "production": "True for the environment `prod`.",
    "protect": "True refuses to delete the data.",
    "region": "Region of the cloud.",
    "replica_port": "Port of each replica.",
    "replicas": "Replicas for which a GPU is kept ready.",
    "role_arn": "IAM role of its nodes.",
    "rules": "Rules of the service account's Kubernetes Role.",
    "rung": "Inference mode, which the API shows.",
    "server": "Model server whose replicas are scaled.",
    "server_port": "Port of each replica.",
    "serving": "Model, and the shape of a replica.",
    "sharing": "How pods share GPUs.",
    "store": "Object store that the functions may use.",
    "subnet_ids": "Subnets of its nodes.",
    "tags": "Tags for cost allocation.",
    "upstream_labels": "Labels of the pods that answer.",
    "upstream_port": "Port of the Service that answers.",
    "weights": "Volume with the weights.",
}
"""Meaning of an argument where the component's docstring has none."""

EVERYWHERE = {"name", "opts"}
"""Arguments of every component."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component resource with its arguments.

    Attributes:
        name: As a program imports it: `aws.store.Store`.
        file: Relative to the project.
        text: The first paragraph of its docstring.
        arguments: Name, type, default and meaning of each, without those of every component.
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
    """Every error code with its docstring."""
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
