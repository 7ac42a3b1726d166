"""The effect of a program change on a stack: the difference of two plans.

Neither plan knows the deployed state, and outputs that only a cloud computes are unknown. Aliases
are ignored: a renamed or moved resource is deleted and added.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from analysis.replacement import replaces
from policies.common.stateful import STATEFUL
from policies.resource import SECRET, SIGNATURE, UNKNOWN, Resource, name_of, type_of

Kind = Literal["deleted", "replaced", "changed", "added"]

ABSENT = "[absent]"
"""Replaces a missing value."""

FILES = "[files]"
"""Replaces an asset or an archive, such as the code of a function."""

_KINDS: tuple[Kind, ...] = ("deleted", "replaced", "changed", "added")
_PROVIDER = "pulumi:providers:"
_KUBERNETES = f"{_PROVIDER}kubernetes"


@dataclass(frozen=True, kw_only=True)
class Input:
    """A changed input.

    Attributes:
        path: Property path: `nodePool.size`.
        before: Old value. If either value is a secret, both are shown as `[secret]`.
        after: New value.
        replaces: True if the change replaces the resource; None if the type is not in
            `analysis.replacement`.
        because: URNs of the replaced resources that the input is made from.
    """

    path: str
    before: Any
    after: Any
    replaces: bool | None
    because: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of one resource."""

    kind: Kind
    urn: str
    protect: bool
    inputs: tuple[Input, ...] = ()

    @property
    def type(self) -> str:
        """Pulumi's type token."""
        return type_of(self.urn)

    @property
    def name(self) -> str:
        """Logical name."""
        return name_of(self.urn)

    @property
    def loses_data(self) -> bool:
        """True if the resource holds data and is deleted or replaced."""
        return self.type in STATEFUL and self.kind in ("deleted", "replaced")


def difference(before: Iterable[Resource], after: Iterable[Resource]) -> list[Change]:
    """Every changed resource: first those that lose data, then deleted, replaced, changed, added.

    Two resources are the same if their URNs are equal, as for the engine.
    """
    old, new = ({resource.urn: resource for resource in each} for each in (before, after))
    inputs = {urn: _inputs(old[urn], new[urn]) for urn in old.keys() & new.keys()}
    _move(inputs)
    _spread(inputs, new)
    changes = [_change("deleted", old[urn]) for urn in old.keys() - new.keys()]
    changes += [_change("added", new[urn]) for urn in new.keys() - old.keys()]
    changes += [
        _change("replaced" if _is_replaced(found) else "changed", new[urn], found)
        for urn, found in inputs.items()
        if found
    ]
    return sorted(
        changes, key=lambda c: (not c.loses_data, _KINDS.index(c.kind), c.type, c.name, c.urn)
    )


def unknown_inputs(before: Iterable[Resource], after: Iterable[Resource]) -> int:
    """The number of inputs that are unknown in both plans, so that a change of them is not seen.

    Inputs of components are left out: the inputs of their resources have the same values.
    """
    old = {resource.urn: resource for resource in before}
    return sum(
        _unknown_in_both(old[resource.urn].inputs, resource.inputs)
        for resource in after
        if resource.urn in old and not resource.type.startswith("seamless:")
    )


def _unknown_in_both(one: Any, other: Any) -> int:
    if isinstance(one, dict) and isinstance(other, dict):
        return sum(_unknown_in_both(one[key], other[key]) for key in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return sum(_unknown_in_both(*pair) for pair in zip(one, other, strict=False))
    return int(one == other == UNKNOWN)


def _change(kind: Kind, resource: Resource, inputs: Sequence[Input] = ()) -> Change:
    return Change(
        kind=kind,
        urn=resource.urn,
        protect=resource.protect,
        inputs=tuple(sorted(inputs, key=lambda i: (not i.replaces, i.path))),
    )


def _is_replaced(inputs: Sequence[Input]) -> bool:
    return any(found.replaces for found in inputs)


def _inputs(old: Resource, new: Resource) -> list[Input]:
    """The inputs that differ, without those in `ignore_changes`."""
    return [
        Input(
            path=path,
            before=SECRET if SECRET in f"{one}{other}" else one,
            after=SECRET if SECRET in f"{one}{other}" else other,
            replaces=_replaces(new, path),
        )
        for path, one, other in _differing(old.inputs, new.inputs)
        if not _in(path, new.ignores)
    ]


def _replaces(resource: Resource, path: str) -> bool | None:
    return _in(path, resource.replaced_by) or replaces(resource.type, path)


def _in(path: str, roots: Sequence[str]) -> bool:
    return any(root == "*" or f"{path}.".startswith(f"{root}.") for root in roots)


def _differing(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path and both values of each difference; a list is compared as one value."""
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict) and SIGNATURE not in {*one, *other}:
        for key in sorted(one.keys() | other.keys()):
            below = f"{path}.{key}" if path else key
            yield from _differing(one.get(key, ABSENT), other.get(key, ABSENT), below)
    else:
        yield path, _shown(one), _shown(other)


def _shown(value: Any) -> Any:
    return FILES if isinstance(value, dict) and SIGNATURE in value else value


def _move(inputs: dict[str, list[Input]]) -> None:
    """Replace every resource of a cloud whose provider gets another region."""
    for provider, found in list(inputs.items()):
        moved = [one for one in found if one.path == "region"]
        if type_of(provider).startswith(_PROVIDER) and moved:
            _replace_all(provider, moved[0], inputs)


def _replace_all(provider: str, changed: Input, inputs: dict[str, list[Input]]) -> None:
    """Replace every resource of a provider because of its changed input."""
    package = type_of(provider).removeprefix(_PROVIDER)
    for urn, found in inputs.items():
        if type_of(urn).startswith(f"{package}:"):
            found.append(dataclasses.replace(changed, replaces=True, because=(provider,)))


def _spread(inputs: dict[str, list[Input]], new: Mapping[str, Resource]) -> None:
    """Change every input that is made from a replaced resource, which may replace more."""
    replaced: set[str] = set()
    while fresh := {urn for urn, found in inputs.items() if _is_replaced(found)} - replaced:
        replaced |= fresh
        for urn, found in inputs.items():
            for path, made_from in new[urn].uses.items():
                because = tuple(sorted(fresh & set(made_from)))
                if because and (hidden := _hidden(new[urn].inputs.get(path))):
                    found.append(_follows(new[urn], path, hidden, because))
        for provider in fresh:
            if type_of(provider).startswith(_PROVIDER):
                _replace_all(provider, next(i for i in inputs[provider] if i.replaces), inputs)


def _hidden(value: Any) -> str:
    """The placeholder in a value; empty if the value has none."""
    return next((str(hidden) for hidden in (SECRET, UNKNOWN) if hidden in str(value)), "")


def _follows(resource: Resource, path: str, hidden: str, because: tuple[str, ...]) -> Input:
    """An input that changes because it is made from replaced resources."""
    return Input(
        path=path,
        before=hidden,
        after=hidden,
        # Another cluster replaces its provider and the objects in it.
        replaces=resource.type == _KUBERNETES or _replaces(resource, path),
        because=because,
    )
