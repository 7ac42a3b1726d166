"""Violations of rules by the resources of a stack, with their enforcement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from policies.rule import Breach, Rule, Severity
from policies.waivers import WAIVERS, Waiver, find
from resources import Resource

Environment = Literal["dev", "prod", "unprotected"]
"""Environment of a stack; `unprotected` is prod with config `protect` set to false."""

_ORDER = ("critical", "high", "medium", "low")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A violation of a rule, with its enforcement in this stack.

    Attributes:
        enforcement: `mandatory` prevents the deployment.
        resource: URN.
    """

    id: str
    severity: Severity
    enforcement: Literal["mandatory", "advisory"]
    resource: str
    message: str
    remedy: str


def environment_of(config: Mapping[str, object], project: str) -> Environment:
    """The environment of a stack by its config, whose keys are full: `project:environment`."""
    environment, protect = (
        str(config.get(f"{project}:{key}")).strip().lower() for key in ("environment", "protect")
    )
    if environment != "prod":
        return "dev"
    return "unprotected" if protect == "false" else "prod"


def judge(
    rules: Sequence[Rule],
    resources: Iterable[Resource],
    *,
    environment: Environment,
    today: date,
    waivers: Sequence[Waiver] = WAIVERS,
) -> list[Verdict]:
    """Apply rules to a stack. Mandatory violations come first, the most severe first."""
    planned = list(resources)
    verdicts = [
        _verdict(rule, breach, environment, find(rule.id, breach.resource.name, today, waivers))
        for rule in rules
        for breach in rule.breaches(planned)
    ]
    return sorted(
        verdicts,
        key=lambda v: (v.enforcement != "mandatory", _ORDER.index(v.severity), v.id, v.resource),
    )


def waived(waiver: Waiver, message: str) -> str:
    """The message of a waived violation."""
    return f"{message} Waived until {waiver.expires}: {waiver.reason}"


def is_mandatory(rule: Rule, environment: Environment) -> bool:
    """True if a violation prevents the deployment in this environment."""
    return {
        "mandatory": True,
        "mandatory in prod": environment != "dev",
        "mandatory in protected prod": environment == "prod",
        "advisory": False,
    }[rule.enforcement]


def _verdict(
    rule: Rule, breach: Breach, environment: Environment, waiver: Waiver | None
) -> Verdict:
    mandatory = is_mandatory(rule, environment) and not waiver
    return Verdict(
        id=rule.id,
        severity=rule.severity,
        enforcement="mandatory" if mandatory else "advisory",
        resource=breach.resource.urn,
        message=waived(waiver, breach.message) if waiver else breach.message,
        remedy=rule.remedy,
    )
