"""Resources of a plan by their logical names."""

from typing import Any

from policies.resource import Resource, make_urn, name_of


def planned(
    type_: str,
    name: str,
    parent: Resource | None = None,
    *,
    uses: dict[str, list[Resource]] | None = None,
    protect: bool = False,
    **inputs: Any,
) -> Resource:
    """A resource of stack `test` in project `seamless`."""
    parent_urn = parent.urn if parent else None
    return Resource(
        urn=make_urn("test", "seamless", type_, name, parent_urn),
        parent=parent_urn,
        inputs=inputs,
        protect=protect,
        uses={key: [other.urn for other in others] for key, others in (uses or {}).items()},
    )


def used(resource: Resource, key: str) -> list[str]:
    """The logical names of the resources that an input depends on."""
    return [name_of(urn) for urn in resource.uses[key]]


def parent_name(resource: Resource) -> str | None:
    """The logical name of the parent."""
    return name_of(resource.parent) if resource.parent else None
