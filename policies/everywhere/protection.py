"""X-01: what holds data is not deleted by mistake."""

from collections.abc import Iterator

from policies.everywhere.stateful import STATEFUL
from policies.rule import ResourceRule
from resources import Resource


def _check(resource: Resource) -> Iterator[str]:
    if not resource.protect:
        yield "It holds data and is not protected from deletion."


RULE = ResourceRule(
    id="X-01",
    title="Every resource that holds data is protected from deletion.",
    severity="high",
    enforcement="mandatory in protected prod",
    remedy="Make the resource with pulumi.ResourceOptions(protect=True), as the stacks do where "
    "protect is true; in prod it is unless it was set: pulumi config rm protect.",
    source="https://www.pulumi.com/docs/iac/concepts/resources/options/protect/",
    applies=STATEFUL.__contains__,
    check=_check,
)
