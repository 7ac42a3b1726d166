"""What a deployment must be allowed to do at AWS, by the type of resource that needs it."""

import msgspec

from catalog import Row, Table


class Need(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Actions on one resource.

    Attributes:
        actions: In IAM's words.
        resource: Its ARN without `arn:aws:`. `{region}`, `{account}` and `{name}` are filled in.
    """

    actions: tuple[str, ...]
    resource: str

    def arn(self, *, region: str, account: str, name: str) -> str:
        """The ARN of a resource that has this name and the seven digits that Pulumi adds."""
        return "arn:aws:" + self.resource.format(
            region=region, account=account, name=f"{name}-0000000"
        )


class Permission(Row, frozen=True, kw_only=True):
    """What creating a resource of one type needs.

    Attributes:
        type: Pulumi's type token.
    """

    type: str
    needs: tuple[Need, ...]


NEEDS = Table("permissions", Permission, "type")
"""By type in the plan; a test holds the list against the plan."""

GLOBAL = frozenset({"iam", "budgets"})
"""Services that answer in `us-east-1` for every region."""
