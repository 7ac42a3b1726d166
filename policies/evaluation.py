"""Violations of rules by the resources of a stack, with their enforcement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from policies.resource import Resource
from policies.rule import ResourceViolation, Rule, Severity
from policies.waivers import WAIVERS, Waiver, find

Environment = Literal["dev", "prod", "unprotected"]
"""Environment of a stack; `unprotected` is prod with config `protect` set to false."""

_ORDER = ("critical", "high", "medium", "low")


@dataclass(frozen=True, kw_only=True)
class Violation:
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


def evaluate(
    rules: Sequence[Rule],
    resources: Iterable[Resource],
    *,
    environment: Environment,
    today: date,
    waivers: Sequence[Waiver] = WAIVERS,
) -> list[Violation]:
    """Apply rules to a stack. Mandatory violations come first, the most severe first."""
    planned = list(resources)
    violations = [
        _violation(
            rule, violation, environment, find(rule.id, violation.resource.name, today, waivers)
        )
        for rule in rules
        for violation in rule.violations(planned)
    ]
    return sorted(
        violations,
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


def _violation(
    rule: Rule, violation: ResourceViolation, environment: Environment, waiver: Waiver | None
) -> Violation:
    mandatory = is_mandatory(rule, environment) and not waiver
    return Violation(
        id=rule.id,
        severity=rule.severity,
        enforcement="mandatory" if mandatory else "advisory",
        resource=violation.resource.urn,
        message=waived(waiver, violation.message) if waiver else violation.message,
        remedy=rule.remedy,
    )
