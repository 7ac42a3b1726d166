"""What a change of the program does to a stack: the difference of two plans.

Both are plans, so nothing is known of what is deployed, and the new value of an output that only
the cloud makes is unknown. An alias is not seen: what was renamed is deleted and added.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from analysis.replacement import replaces
from analysis.resources import SECRET, UNKNOWN, PlannedResource
from policies.everywhere.stateful import STATEFUL

Kind = Literal["deleted", "replaced", "changed", "added"]

ABSENT = "[absent]"
"""In the place of a value that is not there."""

FILES = "[files]"
"""In the place of an asset or an archive, such as a function's code."""

_KINDS: tuple[Kind, ...] = ("deleted", "replaced", "changed", "added")
_ASSET = "4dabf18193072939515e22adb298388d"
"""The key by which Pulumi marks them (pulumi.runtime.rpc._special_sig_key)."""
_PROVIDER = "pulumi:providers:"
_Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Input:
    """A changed input.

    Attributes:
        path: Where it is: `nodePool.size`.
        before: What it was; `[secret]` on both sides when it is one on either.
        after: What it becomes.
        replaces: Whether this makes a new resource; None when nobody looked its type up.
        because: Logical names of the replaced resources that it is made from.
    """

    path: str
    before: Any
    after: Any
    replaces: bool | None
    because: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Change:
    """What happens to one resource."""

    kind: Kind
    type: str
    name: str
    protect: bool
    inputs: tuple[Input, ...] = ()

    @property
    def loses_data(self) -> bool:
        """True when what it holds would be gone."""
        return self.type in STATEFUL and self.kind in ("deleted", "replaced")


def difference(before: Sequence[PlannedResource], after: Sequence[PlannedResource]) -> list[Change]:
    """Every resource that changes: what loses data first, then what is deleted, replaced, changed.

    A resource is the same when type and logical name are, as for the engine.
    """
    old, new = _by_key(before), _by_key(after)
    inputs = {
        key: _inputs(old[key], new[key]) + _place(old[key], before, new[key], after)
        for key in old.keys() & new.keys()
    }
    _move(inputs)
    _spread(inputs, new)
    changes = [_change("deleted", old[key]) for key in old.keys() - new.keys()]
    changes += [_change("added", new[key]) for key in new.keys() - old.keys()]
    changes += [
        _change("replaced" if _is_replaced(found) else "changed", new[key], found)
        for key, found in inputs.items()
        if found
    ]
    return sorted(changes, key=lambda c: (not c.loses_data, _KINDS.index(c.kind), c.type, c.name))


def _by_key(resources: Sequence[PlannedResource]) -> dict[_Key, PlannedResource]:
    return {(resource.type, resource.name): resource for resource in resources}


def _change(kind: Kind, resource: PlannedResource, inputs: Sequence[Input] = ()) -> Change:
    return Change(
        kind=kind,
        type=resource.type,
        name=resource.name,
        protect=resource.protect,
        inputs=tuple(sorted(inputs, key=lambda i: (not i.replaces, i.path))),
    )


def _is_replaced(inputs: Sequence[Input]) -> bool:
    return any(found.replaces for found in inputs)


def _inputs(old: PlannedResource, new: PlannedResource) -> list[Input]:
    """What differs in the inputs of a resource, but for what the engine is told to pass over."""
    return [
        Input(
            path=path,
            before=SECRET if SECRET in f"{one}{other}" else one,
            after=SECRET if SECRET in f"{one}{other}" else other,
            replaces=_in(path, new.replaced_by) or replaces(new.type, path),
        )
        for path, one, other in _differing(old.inputs, new.inputs)
        if not _in(path, new.ignores)
    ]


def _in(path: str, roots: Sequence[str]) -> bool:
    return any(root == "*" or f"{path}.".startswith(f"{root}.") for root in roots)


def _differing(one: Any, other: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path and both values of what differs; a list is one value, since its items have no names."""
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict) and _ASSET not in {*one, *other}:
        for key in sorted(one.keys() | other.keys()):
            below = f"{path}.{key}" if path else key
            yield from _differing(one.get(key, ABSENT), other.get(key, ABSENT), below)
    else:
        yield path, _shown(one), _shown(other)


def _shown(value: Any) -> Any:
    return FILES if isinstance(value, dict) and _ASSET in value else value


def _place(
    old: PlannedResource,
    before: Sequence[PlannedResource],
    new: PlannedResource,
    after: Sequence[PlannedResource],
) -> list[Input]:
    """A resource below other types is another one to the engine."""
    one, other = _above(old, before), _above(new, after)
    if one == other:
        return []
    return [Input(path="parent", before=one, after=other, replaces=True)]


def _above(resource: PlannedResource, resources: Sequence[PlannedResource]) -> str:
    """The types above a resource, which are part of its URN."""
    named: Mapping[str, PlannedResource] = {r.name: r for r in reversed(resources)}
    types: list[str] = []
    while resource.parent and resource.parent in named and len(types) < len(named):
        resource = named[resource.parent]
        types.append(resource.type)
    return " ".join(reversed(types))


def _move(inputs: dict[_Key, list[Input]]) -> None:
    """Another region of a provider makes everything of that provider anew."""
    for (type_, name), found in list(inputs.items()):
        moved = [one for one in found if one.path == "region"]
        if not type_.startswith(_PROVIDER) or not moved:
            continue
        package = type_.removeprefix(_PROVIDER)
        for key, others in inputs.items():
            if key[0].startswith(f"{package}:"):
                others.append(
                    Input(
                        path="region",
                        before=moved[0].before,
                        after=moved[0].after,
                        replaces=True,
                        because=(name,),
                    )
                )


def _spread(inputs: dict[_Key, list[Input]], new: Mapping[_Key, PlannedResource]) -> None:
    """What is made from a replaced resource gets new values, which may replace it, too."""
    replaced: set[str] = set()
    while fresh := {k[1] for k, found in inputs.items() if _is_replaced(found)} - replaced:
        replaced |= fresh
        for key, found in inputs.items():
            resource = new[key]
            for path, names in resource.uses.items():
                because = tuple(sorted(fresh & set(names)))
                if because and UNKNOWN in str(resource.inputs.get(path)):
                    found.append(
                        Input(
                            path=path,
                            before=UNKNOWN,
                            after=UNKNOWN,
                            replaces=_in(path, resource.replaced_by)
                            or replaces(resource.type, path),
                            because=because,
                        )
                    )
