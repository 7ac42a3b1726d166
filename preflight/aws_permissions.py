"""What a deployment must be allowed to do at AWS, by the type of resource that needs it."""

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from catalog import Row, Table

Phase = Literal["create", "read", "update", "delete"]

PHASES: tuple[Phase, ...] = ("create", "read", "update", "delete")


class Need(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Actions on one resource, in IAM's words.

    Attributes:
        resource: Its ARN without `arn:aws:`. `{region}`, `{account}` and `{name}` are filled in.
            `*` for actions that IAM allows only on every resource.
        create: What its creation needs and no refresh does.
        read: What a refresh needs.
        update: What an update needs besides.
        delete: What its deletion needs besides.
    """

    resource: str
    create: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()

    def actions(self, phases: Iterable[Phase] = PHASES) -> Iterator[str]:
        """The actions of these phases."""
        for phase in phases:
            yield from getattr(self, phase)

    def arn(self, *, region: str, account: str, name: str) -> str:
        """The ARN of a resource that has this name and the seven digits that Pulumi adds."""
        if self.resource == "*":
            return "*"
        return "arn:aws:" + self.resource.format(
            region=region, account=account, name=f"{name}-0000000"
        )

    @property
    def pattern(self) -> str:
        """The ARN of every such resource, for a policy."""
        return self.arn(region="*", account="*", name="*").replace("*-0000000", "*")


class Permission(Row, frozen=True, kw_only=True):
    """What resources of one type need.

    Attributes:
        type: Pulumi's type token.
        reason: Why, where a recording against moto does not show it; empty for what was recorded.
    """

    type: str
    reason: str = ""
    needs: tuple[Need, ...]


NEEDS = Table("permissions", Permission, "type", "reason")
"""By type in the plan and reason; a test holds the types against the plan."""

GLOBAL = frozenset({"iam", "budgets"})
"""Services that answer in `us-east-1` for every region."""


def needs(type_: str) -> Iterator[Need]:
    """Every need of a type."""
    for row in NEEDS.values():
        if row.type == type_:
            yield from row.needs
