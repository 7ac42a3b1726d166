"""The plan of a stack: the resource graph that its program asks for, made without an account.

The program runs in this process against a monitor that answers as an engine would in a preview and
remembers exactly what it was asked: types, parents, inputs, protection, which inputs are secret.
"""

import asyncio
import json
import runpy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import empty_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import configure
from pulumi.runtime.stack import run_in_stack
from rich.markup import escape
from rich.tree import Tree

from analysis.charges import charges, rows, summary
from analysis.policies import verdicts
from analysis.resources import SECRET, UNKNOWN, PlannedResource
from policies.verdict import Verdict, environment_of
from stacks.config import endpoint_names
from stacks.names import full_key

__all__ = [
    "SECRET",
    "UNKNOWN",
    "Monitor",
    "Plan",
    "PlanError",
    "PlannedResource",
    "make",
    "observe",
    "parse_overrides",
    "tree",
]

PROJECT = Path(__file__).resolve().parents[1]


_SHAPED = {"log_destinations": json.dumps([{"logtail": {"token": SECRET}}])}
"""What stands in the place of a secret that is checked for its form."""


class PlanError(ValueError):
    """A plan cannot be made of what was asked for."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stack consists of, what it costs, and which rules it breaks. Seams are still empty."""

    stack: str
    arrangement: str
    rung: str
    resources: list[PlannedResource]
    outputs: dict[str, Any]
    sizing: list[str] = field(default_factory=list)
    """Why a model of our own runs on the machines that it does: the arithmetic."""
    policies: list[Verdict] = field(default_factory=list)
    seams: list[dict[str, Any]] = field(default_factory=list)
    cost: list[dict[str, Any]] = field(default_factory=list)
    """A row for each part that is billed."""

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data, for JSON."""
        return asdict(self)


def make(name: str, overrides: Mapping[str, str] | None = None) -> Plan:
    """Plan a stack with its file's config over the project's defaults, and overrides by short key.

    Raises:
        PlanError: when there is no such stack, or the project has no such key.
        ConfigError: when a value breaks its rule.
    """
    project, config, secret_keys = _config(name, overrides or {})
    monitor = observe(_program, project=project, stack=name, config=config, secrets=secret_keys)
    outputs = monitor.stack_outputs
    environment = environment_of(config, project)
    resources = sorted(monitor.planned, key=lambda r: (r.type, r.name))
    return Plan(
        stack=name,
        arrangement=str(outputs.get("arrangement")),
        rung=str(outputs.get("rung")),
        resources=resources,
        outputs=outputs,
        sizing=[str(r.inputs["sizing"]) for r in monitor.planned if "sizing" in r.inputs],
        policies=verdicts(monitor.planned, environment=environment, today=datetime.now(UTC).date()),
        cost=rows(list(charges(resources))),
    )


def observe(
    program: Callable[[], None],
    *,
    project: str,
    stack: str,
    config: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
) -> "Monitor":
    """Run a program as a preview would and return what it asked for.

    Args:
        config: Values by full key.
        secrets: The full keys in it that are secret.
    """
    monitor = Monitor()

    async def run() -> None:
        # As `set_mocks` does, but without its own root stack, which would take our outputs.
        features = set(monitor.GetDeploymentInfo(None).supportedFeatures)  # type: ignore[no-untyped-call]
        configure(
            mocks.MockSettings(  # type: ignore[no-untyped-call]
                monitor=monitor,
                monitor_features=features,
                engine=mocks.MockEngine(None),
                project=project,
                stack=stack,
                dry_run=True,
            )
        )
        set_all_config(dict(config or {}), list(secrets))
        await run_in_stack(program)

    asyncio.run(run())
    return monitor


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
    """The plan as a tree to read: what breaks a rule, then what there is."""
    top = Tree(f"[bold]{plan.stack}[/]: {plan.arrangement}, {plan.rung}")
    _add_policies(top.add("policies"), plan.policies)
    for arithmetic in plan.sizing:
        top.add("sizing").add(escape(arithmetic))
    if costs := summary(list(charges(plan.resources))):
        branch = top.add("cost")
        for line in costs:
            branch.add(escape(line))
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


def _add_policies(branch: Tree, found: Sequence[Verdict]) -> None:
    if not found:
        branch.add("[green]every rule holds[/]")
    for verdict in found:
        color = "red" if verdict.enforcement == "mandatory" else "yellow"
        branch.add(
            f"[{color}]{verdict.enforcement}[/] [bold]{verdict.id}[/] {verdict.severity}: "
            f"{escape(verdict.resource)}: {escape(verdict.message)}"
        ).add(f"[dim]remedy: {escape(verdict.remedy)}[/]")


def _program() -> None:
    runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")


class Monitor(mocks.MockMonitor):
    """Remembers every registration and answers it as a preview does.

    What the program gave is known, what a provider would add is unknown; no cloud is asked.
    """

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]  # mocks answer what is answered here
        self.planned: list[PlannedResource] = []
        self.stack_outputs: dict[str, Any] = {}
        self._stack_urn = ""

    def Invoke(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        raise PlanError(f"The program asks {request.tok}, which only a cloud can answer.")

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        answer = resource_pb2.RegisterResourceResponse(
            urn=self.make_urn(request.parent, request.type, request.name), object=request.object
        )
        if request.type == "pulumi:pulumi:Stack":
            self._stack_urn = answer.urn
            return answer
        if request.type.startswith("kubernetes:"):
            _name_object(answer.object, request.name)
        for name, value in request.object.items():
            if isinstance(value, Struct) and "Statement" in value:
                # A policy document given as data: the AWS provider answers with its text.
                answer.object[name] = rpc.UNKNOWN
        for name in request.additionalSecretOutputs:
            answer.object[name] = {
                rpc._special_sig_key: rpc._special_secret_sig,
                "value": rpc.UNKNOWN,
            }
        inputs = MessageToDict(request.object)
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
                uses={
                    key: sorted(urn.rsplit("::", 1)[-1] for urn in made_from.urns)
                    for key, made_from in sorted(request.propertyDependencies.items())
                    if made_from.urns
                },
                ignores=list(request.ignoreChanges),
                replaced_by=list(request.replaceOnChanges),
            )
        )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802  # the protocol's name
        if request.urn == self._stack_urn:
            self.stack_outputs = _plain(MessageToDict(request.outputs))
        return empty_pb2.Empty()


def _config(name: str, overrides: Mapping[str, str]) -> tuple[str, dict[str, str], list[str]]:
    """The project's name, every config value by full key, and which keys are secret."""
    project = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())
    file = PROJECT / "stacks" / f"Pulumi.{name}.yaml"
    if not file.is_file():
        raise PlanError(f"There is no stack {name!r}: there is no stacks/{file.name}.")
    prefix = project["name"]
    file_config = (yaml.safe_load(file.read_text()) or {}).get("config") or {}
    given: dict[str, Any] = {full_key(prefix, key): value for key, value in file_config.items()}
    ours = {key: entry for key, entry in project["config"].items() if ":" not in key}
    for key in overrides:
        if key not in ours:
            raise PlanError(f"--config {key}: there is no such key. There are {', '.join(ours)}.")
    values: dict[str, str] = {
        f"{prefix}:{key}": _text(entry.get("default", "")) for key, entry in ours.items()
    }
    secret_keys = [key for key, value in given.items() if isinstance(value, dict)]
    values |= {
        key: _SHAPED.get(key.removeprefix(f"{prefix}:"), SECRET)
        if key in secret_keys
        else _text(value)
        for key, value in given.items()
    }
    values |= {f"{prefix}:{key}": value for key, value in overrides.items()}
    # Nobody needs a key to see a plan, and one on its command line is never a real one.
    names = endpoint_names(values[f"{prefix}:inference_endpoints"])
    keys = {
        "inference_api_key": SECRET,
        "inference_endpoint_keys": _text(dict.fromkeys(names, SECRET)),
    }
    values |= {f"{prefix}:{key}": text for key, text in keys.items() if key not in overrides}
    secret_keys += [f"{prefix}:{key}" for key in keys]
    secret_keys += [f"{prefix}:{key}" for key in overrides if key in _SHAPED]
    return prefix, values, secret_keys


def _name_object(answered: Struct, name: str) -> None:
    """Give a Kubernetes object its name, as that provider does before anything is created."""
    metadata = answered.get_or_create_struct("metadata")
    if "name" not in metadata:
        metadata["name"] = f"{name}-{'0' * 8}"


def _text(value: Any) -> str:
    """A config value as the engine hands it over: a list or an object as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_secret_sig


def _plain(value: Any) -> Any:
    """Show a value of the protocol as data; secrets and unknowns by their marks."""
    if _is_secret(value):
        return SECRET
    if value == rpc.UNKNOWN:
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _secrets(value: Any, path: str = "") -> Iterator[str]:
    if _is_secret(value):
        yield path
    elif isinstance(value, dict):
        for key, item in sorted(value.items()):
            yield from _secrets(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(item, f"{path}[{index}]")
