"""The rules as a Pulumi policy pack: a policy for each rule, and one for its waived violations."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi_policy
from pulumi_policy import policy as engine_side
from pulumi_policy.deserialize import serialize_properties

from policies.catalogue import RULES
from policies.evaluation import waived
from policies.resource import Resource, from_wire
from policies.rule import Rule, StackRule
from policies.waivers import WAIVERS, find

WAIVED = "-waived"
"""Suffix of the policy that reports a rule's waived violations: a policy has one level."""

Report = Callable[[str, str | None], None]

_INPUTS: dict[str, Mapping[str, Any]] = {}
"""Inputs of every resource that this process has validated, by URN.

In the preview of a new cluster the engine passes no properties of the objects in the cluster,
because their provider is not configured yet. Stack rules then use these inputs.
"""


def start() -> None:
    """Serve the rules until the engine ends this process."""
    # pulumi-policy would pass a secret as its plain value, which no rule may read.
    engine_side.deserialize_properties = _as_it_came  # type: ignore[attr-defined]  # its import
    waived_rules = {waiver.policy for waiver in WAIVERS}
    pulumi_policy.PolicyPack(
        name="seamless",
        policies=[
            *(_policy(rule, waivers=False) for rule in RULES),
            *(_policy(rule, waivers=True) for rule in RULES if rule.id in waived_rules),
        ],
    )


def _as_it_came(props: dict[str, Any], proxy_secrets: bool = False) -> dict[str, Any]:
    """Replaces pulumi-policy's `deserialize_properties` and keeps the marks of secrets."""
    return props


def _policy(rule: Rule, *, waivers: bool) -> pulumi_policy.Policy:
    """The policy of a rule: for its violations, or for its waived ones, which are advisory."""
    mandatory = rule.enforcement != "advisory" and not waivers
    level = pulumi_policy.EnforcementLevel
    described: dict[str, Any] = {
        "name": rule.id + (WAIVED if waivers else ""),
        "description": rule.title,
        # Outside prod, policies/ENVIRONMENT.json lowers rules that are mandatory only in prod.
        "enforcement_level": level.MANDATORY if mandatory else level.ADVISORY,
        "severity": pulumi_policy.Severity(rule.severity),
        "remediation_steps": rule.remedy,
        "url": next(word.strip(";") for word in rule.source.split() if word.startswith("https:")),
    }

    def check_resource(args: pulumi_policy.ResourceValidationArgs, report: Report) -> None:
        _INPUTS[args.urn] = args.props
        resource = _resource(args.urn, args.props, protect=args.opts.protect)
        _report(rule, [resource], report, waivers=waivers)

    def check_stack(args: pulumi_policy.StackValidationArgs, report: Report) -> None:
        resources = [
            _resource(
                r.urn,
                r.props or _INPUTS.get(r.urn, {}),
                protect=r.opts.protect,
                uses={
                    key: [other.urn for other in others]
                    for key, others in r.property_dependencies.items()
                },
            )
            for r in args.resources
        ]
        _report(rule, resources, report, waivers=waivers)

    if isinstance(rule, StackRule):
        return pulumi_policy.StackValidationPolicy(validate=check_stack, **described)
    return pulumi_policy.ResourceValidationPolicy(validate=check_resource, **described)


def _report(rule: Rule, resources: list[Resource], report: Report, *, waivers: bool) -> None:
    today = datetime.now(UTC).date()
    for violation in rule.violations(resources):
        waiver = find(rule.id, violation.resource.name, today)
        if bool(waiver) == waivers:
            message = waived(waiver, violation.message) if waiver else violation.message
            report(f"{message}\n{rule.remedy}", violation.resource.urn)


def _resource(
    urn: str,
    props: Mapping[str, Any],
    *,
    protect: bool,
    uses: dict[str, list[str]] | None = None,
) -> Resource:
    inputs = from_wire(serialize_properties(props))
    return Resource(urn=urn, inputs=inputs, protect=protect, uses=uses or {})
