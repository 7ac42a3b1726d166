"""Which changed inputs make a new resource, with the data of the old one gone: one row per type."""

from catalog import Row, Table


class Replacement(Row, frozen=True, kw_only=True):
    """The inputs of a type that replace a resource.

    Attributes:
        type: Pulumi's type token.
        inputs: Paths: a dot leads into one. Without any, it is always changed in place.
        file: Where the source says so; empty where the source itself is a file.
    """

    type: str
    inputs: tuple[str, ...]
    file: str = ""


REPLACING = Table("replacement", Replacement, "type")


def replaces(type_: str, path: str) -> bool | None:
    """Whether a change of this input makes a new resource; None when the type was not looked up.

    The engine never replaces a component.

    Args:
        path: Property path without indexes: `nodePool.size`. Items have the path of their list.
    """
    if type_.startswith("seamless:"):
        return False
    if type_ not in REPLACING:
        return None
    return any(_overlap(path, replacing) for replacing in REPLACING[type_].inputs)


def _overlap(one: str, other: str) -> bool:
    """True if one path contains the other: a changed object may contain the replacing input."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
