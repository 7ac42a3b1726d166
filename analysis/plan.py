"""The plan of a stack: the resources that its program registers, found without an account.

The program runs in this process against `analysis.mock_engine`.
"""

import json
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from analysis import PlanError
from analysis.cost import Charge, charges
from analysis.mock_engine import observe
from analysis.retirement import Retirement, retirements
from policies.catalogue import RULES
from policies.evaluation import Violation, environment_of, evaluate
from policies.resource import SECRET, Resource
from stacks.config_schema import KEYS, endpoint_names
from stacks.names import full_key

PROJECT = Path(__file__).resolve().parents[1]

_SHAPED = {"log_destinations": json.dumps([{"logtail": {"token": SECRET}}])}
"""Placeholders for secret config values whose form is checked."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The resources, cost and policy violations of a stack.

    Attributes:
        resources: Sorted by type and name.
        sizing: Why a self-hosted model needs its machines: the arithmetic, as text.
        policies: Mandatory violations first, the most severe first.
        seams: Not filled yet.
        cost: One line for each billed part of a resource.
        retirements: Models that retire within 30 days, or have retired.
    """

    stack: str
    variant: str
    inference_mode: str
    resources: list[Resource]
    outputs: dict[str, Any]
    sizing: list[str] = field(default_factory=list)
    policies: list[Violation] = field(default_factory=list)
    seams: list[dict[str, Any]] = field(default_factory=list)
    cost: list[Charge] = field(default_factory=list)
    retirements: list[Retirement] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data, for JSON."""
        return {
            **asdict(self),
            "resources": [resource.as_dict() for resource in self.resources],
            "cost": [charge.as_dict() for charge in self.cost],
        }


def make(
    name: str, overrides: Mapping[str, str] | None = None, *, today: date | None = None
) -> Plan:
    """Plan a stack.

    Args:
        name: Stack with a file `stacks/Pulumi.NAME.yaml`. Its config overrides the defaults of
            `Pulumi.yaml`.
        overrides: Config values by short key. They override both.
        today: For waivers and retirements; by default the present date in UTC.

    Raises:
        PlanError: if the stack or a key of `overrides` does not exist.
        ConfigError: if a config value is invalid.
    """
    today = today or datetime.now(UTC).date()
    project, config, secret_keys = _config(name, overrides or {})
    monitor = observe(_program, project=project, stack=name, config=config, secrets=secret_keys)
    outputs = monitor.stack_outputs
    resources = sorted(monitor.planned, key=lambda r: (r.type, r.name))
    return Plan(
        stack=name,
        variant=str(outputs.get("variant")),
        inference_mode=str(outputs.get("inference_mode")),
        resources=resources,
        outputs=outputs,
        sizing=[str(r.inputs["sizing"]) for r in monitor.planned if "sizing" in r.inputs],
        policies=evaluate(
            RULES,
            monitor.planned,
            environment=environment_of(config, project),
            today=today,
        ),
        cost=charges(resources),
        retirements=retirements(
            name,
            {key.removeprefix(f"{project}:"): value for key, value in config.items()},
            outputs,
            today=today,
        ),
    )


def parse_overrides(pairs: Sequence[str]) -> dict[str, str]:
    """Convert `KEY=VALUE` texts to a mapping.

    Raises:
        PlanError: for a text without `=`.
    """
    for pair in pairs:
        if "=" not in pair:
            raise PlanError(f"--config {pair!r} has no value: write --config KEY=VALUE.")
    return dict(pair.split("=", 1) for pair in pairs)


def _program() -> None:
    runpy.run_path(str(PROJECT / "__main__.py"), run_name="__main__")


def _config(name: str, overrides: Mapping[str, str]) -> tuple[str, dict[str, str], list[str]]:
    """The project's name, every config value by full key, and the keys that are secret."""
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
    # A plan needs no real key: placeholders replace the keys unless the caller overrides them.
    names = endpoint_names(values[f"{prefix}:inference_endpoints"])
    keys = {
        "inference_api_key": SECRET,
        "inference_endpoint_keys": _text(dict.fromkeys(names, SECRET)),
    }
    values |= {f"{prefix}:{key}": text for key, text in keys.items() if key not in overrides}
    secret_keys += [f"{prefix}:{key}" for key in keys]
    secret_keys += [f"{prefix}:{key}" for key in overrides if KEYS[key].get("writeOnly")]
    return prefix, values, secret_keys


def _text(value: Any) -> str:
    """A config value as the engine passes it: lists and objects as JSON."""
    return json.dumps(value) if isinstance(value, list | dict) else str(value)
