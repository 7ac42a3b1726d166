"""X-01: resources that hold data are protected from deletion."""

from collections.abc import Iterator

from policies.common.stateful import STATEFUL
from policies.resource import Resource
from policies.rule import ResourceRule


def _check(resource: Resource) -> Iterator[str]:
    if not resource.protect:
        yield "It holds data and is not protected from deletion."


RULE = ResourceRule(
    id="X-01",
    title="Every resource that holds data is protected from deletion.",
    severity="high",
    enforcement="mandatory in protected prod",
    remedy="Create the resource with pulumi.ResourceOptions(protect=True). The stacks do so if "
    "config protect is true: pulumi config set protect true.",
    source="https://www.pulumi.com/docs/iac/concepts/resources/options/protect/",
    applies=STATEFUL.__contains__,
    check=_check,
)
