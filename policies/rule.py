"""A rule: what is promised of resources, how much it matters, and what to do when it is broken."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from policies.values import Hidden

Severity = Literal["low", "medium", "high", "critical"]
Enforcement = Literal["mandatory", "mandatory in prod", "mandatory in protected prod", "advisory"]


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource as a rule sees it.

    Attributes:
        type: Pulumi's type token.
        name: Logical name.
        props: Inputs; where a value cannot be read there is a `Hidden`.
        protect: True refuses to delete it.
        uses: Names of the resources that a property is made from, by property.
        urn: The engine's name for it; empty in a plan.
    """

    type: str
    name: str
    props: Mapping[str, Any]
    protect: bool = False
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    urn: str = ""

    def means(self, key: str, other: "Resource") -> bool:
        """True when a property surely refers to another resource."""
        if made_from := self.uses.get(key):
            return other.name in made_from
        return names(self.props.get(key), other)

    def may_mean(self, key: str, other: "Resource") -> bool:
        """True when a property refers to another resource, or when nobody can know yet."""
        if made_from := self.uses.get(key):
            return other.name in made_from
        return may_name(self.props.get(key), other)


def names(value: Any, resource: Resource) -> bool:
    """True for a name or an ARN of a resource, which ends in the name of what it names."""
    return isinstance(value, str) and any(
        identity in (value, value.rsplit(":", 1)[-1]) for identity in _identities(resource)
    )


def may_name(value: Any, resource: Resource) -> bool:
    """True also where nobody can read the name, or what it should name."""
    if isinstance(value, Hidden):
        return True
    hidden = any(isinstance(identity, Hidden) for identity in _identities(resource))
    return isinstance(value, str) and (hidden or names(value, resource))


def _identities(resource: Resource) -> list[Any]:
    return [resource.props.get(key) for key in ("id", "arn", "name", "bucket", "url")]


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A resource that breaks a rule. The message never holds a secret's value."""

    resource: Resource
    message: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What every rule says of itself.

    Attributes:
        id: As in the project's table of rules: `AWS-S3-01`.
        title: What must hold, in one sentence.
        enforcement: `mandatory in prod` only advises elsewhere; `mandatory in protected prod`
            also where config `protect` is false.
        remedy: What to change, in one sentence.
        source: Where the demand comes from.
    """

    id: str
    title: str
    severity: Severity
    enforcement: Enforcement
    remedy: str
    source: str

    def breaches(self, resources: Sequence[Resource]) -> Iterator[Breach]:
        """Every breach among the resources of a stack."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """A rule about each resource by itself; the engine applies it before the resource is made.

    Attributes:
        applies: By type token.
        check: Yields one message per breach.
    """

    applies: Callable[[str], bool]
    check: Callable[[Resource], Iterable[str]]

    def breaches(self, resources: Sequence[Resource]) -> Iterator[Breach]:
        """Every breach among the resources of a stack."""
        for resource in resources:
            if self.applies(resource.type):
                for message in self.check(resource):
                    yield Breach(resource=resource, message=message)


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """A rule about resources together; the engine applies it when it knows them all."""

    check: Callable[[Sequence[Resource]], Iterable[Breach]]

    def breaches(self, resources: Sequence[Resource]) -> Iterator[Breach]:
        """Every breach among the resources of a stack."""
        yield from self.check(resources)


def one_of(*types: str) -> Callable[[str], bool]:
    """True for these type tokens."""
    return frozenset(types).__contains__
