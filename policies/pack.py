"""The rules as a pack that Pulumi's engine runs: one policy each, and one for what is waived."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi_policy
from pulumi_policy import policy as engine_side
from pulumi_policy.deserialize import serialize_properties

from policies.catalogue import RULES
from policies.rule import Resource, Rule, StackRule
from policies.values import from_wire
from policies.verdict import waived
from policies.waivers import WAIVERS, find

WAIVED = "-waived"
"""Ends the name of the policy that reports a rule's waived breaches: a policy has one level."""

Report = Callable[[str, str | None], None]

_INPUTS: dict[str, Mapping[str, Any]] = {}
"""Of every resource that this process was shown, by URN.

A preview of a cluster that is still to be made has no properties of the objects in it: the engine
does not ask a provider whose configuration it does not know. Rules about resources together then
judge what was asked for.
"""


def start() -> None:
    """Serve the rules to the engine until it ends this process."""
    # Else a secret arrives as its bare value, which no rule may see and X-02 could not tell apart.
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
    """Takes the place of pulumi-policy's `deserialize_properties`, with the marks left in."""
    return props


def _policy(rule: Rule, *, waivers: bool) -> pulumi_policy.Policy:
    """A rule's policy: of what nobody waived, which may refuse; or of what is waived."""
    mandatory = rule.enforcement != "advisory" and not waivers
    level = pulumi_policy.EnforcementLevel
    described: dict[str, Any] = {
        "name": rule.id + (WAIVED if waivers else ""),
        "description": rule.title,
        # Elsewhere than in prod, policies/ENVIRONMENT.json lowers what is not mandatory there.
        "enforcement_level": level.MANDATORY if mandatory else level.ADVISORY,
        "severity": pulumi_policy.Severity(rule.severity),
        "remediation_steps": rule.remedy,
        "url": next(word.strip(";") for word in rule.source.split() if word.startswith("https:")),
    }

    def check_resource(args: pulumi_policy.ResourceValidationArgs, report: Report) -> None:
        resource = _resource(args.resource_type, args.name, args.urn, args.props, args.opts.protect)
        _INPUTS[args.urn] = args.props
        _report(rule, [resource], report, waivers=waivers)

    def check_stack(args: pulumi_policy.StackValidationArgs, report: Report) -> None:
        resources = [
            _resource(
                r.resource_type,
                r.name,
                r.urn,
                r.props or _INPUTS.get(r.urn, {}),
                r.opts.protect,
                _uses(r),
            )
            for r in args.resources
        ]
        _report(rule, resources, report, waivers=waivers)

    if isinstance(rule, StackRule):
        return pulumi_policy.StackValidationPolicy(validate=check_stack, **described)
    return pulumi_policy.ResourceValidationPolicy(validate=check_resource, **described)


def _report(rule: Rule, resources: list[Resource], report: Report, *, waivers: bool) -> None:
    today = datetime.now(UTC).date()
    for breach in rule.breaches(resources):
        waiver = find(rule.id, breach.resource.name, today)
        if bool(waiver) == waivers:
            message = waived(waiver, breach.message) if waiver else breach.message
            report(f"{message}\n{rule.remedy}", breach.resource.urn)


def _resource(
    token: str,
    name: str,
    urn: str,
    props: Mapping[str, Any],
    protect: bool,
    uses: Mapping[str, frozenset[str]] | None = None,
) -> Resource:
    plain = from_wire(serialize_properties(props))
    return Resource(type=token, name=name, urn=urn, props=plain, protect=protect, uses=uses or {})


def _uses(resource: pulumi_policy.PolicyResource) -> dict[str, frozenset[str]]:
    return {
        key: frozenset(other.name for other in others)
        for key, others in resource.property_dependencies.items()
    }
