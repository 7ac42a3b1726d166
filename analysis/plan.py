"""The plan of a stack: the resource graph that its program asks for, made without engine or account.

The program runs in this process against a monitor that answers as an engine would in a preview and
remembers exactly what it was asked: types, parents, inputs, protection, which inputs are secret.
"""

import asyncio
import runpy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_in_stack
from rich.markup import escape
from rich.tree import Tree

PROJECT = Path(__file__).resolve().parents[1]

SECRET = "[secret]"  # noqa: S105  # what is shown in place of one
UNKNOWN = "[unknown until deployed]"


class PlanError(ValueError):
    """A plan cannot be made of what was asked for."""


@dataclass(frozen=True, kw_only=True)
class PlannedResource:
    """One resource that the program asks for.

    Attributes:
        type: Pulumi's type token.
        name: Logical name, unique for its type.
        parent: Logical name of the parent, None at the top.
        inputs: Exact inputs; a secret is shown as `[secret]`, what only the cloud knows as unknown.
        protect: True refuses to delete it.
        secret_inputs: Names of the inputs that hold a secret, at any depth, as paths.
    """

    type: str
    name: str
    parent: str | None
    inputs: dict[str, Any]
    protect: bool
    secret_inputs: list[str]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stack consists of. Policies, seams and cost are empty until their analysis exists."""

    stack: str
    arrangement: str
    rung: str
    resources: list[PlannedResource]
    outputs: dict[str, Any]
    policies: list[dict[str, Any]] = field(default_factory=list)
    seams: list[dict[str, Any]] = field(default_factory=list)
    cost: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data, for JSON."""
        return asdict(self)


def make(name: str, overrides: Mapping[str, str] | None = None) -> Plan:
    """Plan a stack with its file's config over the project's defaults, and overrides by short key.

    Raises:
        PlanError: when there is no such stack, or the project has no such key.
        SettingsError: when a value breaks its rule.
    """
    project, config, secret_keys = _config(name, overrides or {})
    monitor = _Monitor()
    mocks.set_mocks(_Mocks(), project=project, stack=name, preview=True, monitor=monitor)
    set_all_config(config, secret_keys)
    asyncio.run(run_in_stack(_program))
    outputs = monitor.stack_outputs
    return Plan(
        stack=name,
        arrangement=str(outputs.get("arrangement")),
        rung=str(outputs.get("rung")),
        resources=sorted(monitor.planned, key=lambda r: (r.type, r.name)),
        outputs=outputs,
    )


def parse_overrides(pairs: Sequence[str]) -> dict[str, str]:
    """Turn `KEY=VALUE` texts into a mapping.

    Raises:
        PlanError: for one without `=`.
    """
    for pair in pairs:
        if "=" not in pair:
            raise PlanError(f"--config {pair!r} has no value: write --config KEY=VALUE.")
    return dict(pair.split("=", 1) for pair in pairs)


def tree(plan: Plan) -> Tree:
    """The plan as a tree to read."""
    top = Tree(f"[bold]{plan.stack}[/]: {plan.arrangement}, {plan.rung}")
    nodes: dict[str | None, Tree] = {None: top}
    waiting = list(plan.resources)
    while waiting:
        ready = [resource for resource in waiting if resource.parent in nodes]
        for resource in ready:
            marks = " [yellow]protected[/]" if resource.protect else ""
            if resource.secret_inputs:
                marks += f" [dim]secret: {escape(', '.join(resource.secret_inputs))}[/]"
            nodes[resource.name] = nodes[resource.parent].add(
                f"{escape(resource.name)} [dim]{escape(resource.type)}[/]{marks}"
            )
        waiting = [resource for resource in waiting if resource not in ready]
    outputs = top.add("outputs")
    for name, value in plan.outputs.items():
        outputs.add(f"{name}: {escape(str(value))}")
    return top


def _program() -> None:
    runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")


class _Mocks(mocks.Mocks):
    """Answers a registration with its inputs, as a preview does; asks no cloud anything."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        return "", args.inputs

    def call(self, args: mocks.MockCallArgs) -> dict[Any, Any]:
        raise PlanError(f"The program asks {args.token}, which only a cloud can answer.")


class _Monitor(mocks.MockMonitor):
    """Remembers every registration. Outputs that the program did not give itself stay unknown."""

    def __init__(self) -> None:
        super().__init__(_Mocks())
        self.planned: list[PlannedResource] = []
        self.stack_outputs: dict[str, Any] = {}
        self._stack_urn = ""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        answer = super().RegisterResource(request)
        if request.type == "pulumi:pulumi:Stack":
            self._stack_urn = answer.urn
            return answer
        for name in request.additionalSecretOutputs:
            # What the engine does for the real provider; the value is not there yet.
            answer.object[name] = {
                rpc._special_sig_key: rpc._special_secret_sig,
                "value": rpc.UNKNOWN,
            }
        inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
        inputs.pop("__provider", None)
        parent = request.parent.rsplit("::", 1)[-1] if request.parent != self._stack_urn else None
        self.planned.append(
            PlannedResource(
                type=request.type,
                name=request.name,
                parent=parent or None,
                inputs=_plain(inputs),
                protect=request.protect,
                secret_inputs=list(_secrets(inputs)),
            )
        )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        if request.urn == self._stack_urn:
            outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
            self.stack_outputs = _plain(outputs)
        return super().RegisterResourceOutputs(request)


def _config(name: str, overrides: Mapping[str, str]) -> tuple[str, dict[str, str], list[str]]:
    """The project's name, every config value by full key, and which keys are secret."""
    project = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())
    file = PROJECT / "stacks" / f"Pulumi.{name}.yaml"
    if not file.is_file():
        raise PlanError(f"There is no stack {name!r}: there is no stacks/{file.name}.")
    given: dict[str, Any] = (yaml.safe_load(file.read_text()) or {}).get("config") or {}
    prefix = project["name"]
    for key in overrides:
        if key not in project["config"]:
            raise PlanError(
                f"--config {key}: there is no such key. There are {', '.join(project['config'])}."
            )
    values: dict[str, str] = {
        f"{prefix}:{key}": str(entry.get("default", "")) for key, entry in project["config"].items()
    }
    secret_keys = [key for key, value in given.items() if isinstance(value, dict)]
    values |= {key: SECRET if key in secret_keys else str(value) for key, value in given.items()}
    values |= {f"{prefix}:{key}": value for key, value in overrides.items()}
    # A key on the command line of a plan is never a real one: it is only marked as secret.
    secret_keys += [f"{prefix}:{key}" for key in overrides if key.endswith("_api_key")]
    return prefix, values, secret_keys


def _plain(value: Any) -> Any:
    """Show a value as data: secrets and unknowns by their marks, numbers without a needless `.0`."""
    if rpc.is_rpc_secret(value):
        return SECRET
    if isinstance(value, rpc.Unknown) or value is rpc.UNKNOWN or value == rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _secrets(value: Any, path: str = "") -> Iterator[str]:
    if rpc.is_rpc_secret(value):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _secrets(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(item, f"{path}[{index}]")
