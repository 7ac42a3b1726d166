"""The types of policy rules, and how rules match resources that refer to each other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from policies.resource import Hidden, Resource
from policies.values import readable

Severity = Literal["low", "medium", "high", "critical"]
Enforcement = Literal["mandatory", "mandatory in prod", "mandatory in protected prod", "advisory"]


def refers(resource: Resource, key: str, other: Resource) -> bool:
    """True if an input certainly refers to another resource."""
    if made_from := resource.uses.get(key):
        return other.urn in made_from
    return names(resource.inputs.get(key), other)


def may_refer(resource: Resource, key: str, other: Resource) -> bool:
    """True if an input refers to another resource, or if that is not known yet."""
    if made_from := resource.uses.get(key):
        return other.urn in made_from
    return may_name(resource.inputs.get(key), other)


def names(value: Any, resource: Resource) -> bool:
    """True for the name or the ARN of a resource. An ARN ends with the resource's name."""
    text = readable(value)
    return text is not None and any(
        readable(identity) in (text, text.rsplit(":", 1)[-1]) for identity in _identities(resource)
    )


def may_name(value: Any, resource: Resource) -> bool:
    """True also if the value or the resource's name is not known yet."""
    if isinstance(value, Hidden):
        return True
    hidden = any(isinstance(identity, Hidden) for identity in _identities(resource))
    return isinstance(value, str) and (hidden or names(value, resource))


def _identities(resource: Resource) -> list[Any]:
    return [resource.inputs.get(key) for key in ("id", "arn", "name", "bucket", "url")]


@dataclass(frozen=True, kw_only=True)
class ResourceViolation:
    """A resource that violates a rule. The message never contains the value of a secret."""

    resource: Resource
    message: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The description of a rule.

    Attributes:
        id: `AWS-S3-01`.
        title: The requirement, in one sentence.
        enforcement: `mandatory in prod` is advisory in other environments; `mandatory in protected
            prod` is also advisory where config `protect` is false.
        remedy: What to change, in one sentence.
        source: Standard or documentation that requires it.
    """

    id: str
    title: str
    severity: Severity
    enforcement: Enforcement
    remedy: str
    source: str

    def violations(self, resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
        """Every violation among the resources of a stack."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """A rule about single resources. The engine applies it before it creates the resource.

    Attributes:
        applies: True for the type tokens that the rule checks.
        check: Yields one message for each violation.
    """

    applies: Callable[[str], bool]
    check: Callable[[Resource], Iterable[str]]

    def violations(self, resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
        """Every violation among the resources of a stack."""
        for resource in resources:
            if self.applies(resource.type):
                for message in self.check(resource):
                    yield ResourceViolation(resource=resource, message=message)


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """A rule about several resources. The engine applies it once all of them are known."""

    check: Callable[[Sequence[Resource]], Iterable[ResourceViolation]]

    def violations(self, resources: Sequence[Resource]) -> Iterator[ResourceViolation]:
        """Every violation among the resources of a stack."""
        yield from self.check(resources)


def one_of(*types: str) -> Callable[[str], bool]:
    """A predicate that is true for these type tokens."""
    return frozenset(types).__contains__
