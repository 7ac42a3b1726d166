"""Actions that a deployment must be allowed, on what."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Need:
    """Actions on one resource.

    Attributes:
        actions: In IAM's words.
        on: Its ARN without `arn:aws:`. `{region}`, `{account}` and `{name}` are filled in.
    """

    actions: tuple[str, ...]
    on: str

    def arn(self, *, region: str, account: str, name: str) -> str:
        """The ARN of a resource that has this name and the seven digits that Pulumi adds."""
        return "arn:aws:" + self.on.format(region=region, account=account, name=f"{name}-0000000")


def ec2(thing: str, *actions: str) -> tuple[Need, ...]:
    """Actions of EC2 on a thing of it."""
    on = f"ec2:{{region}}:{{account}}:{thing}"
    return (Need(actions=tuple(f"ec2:{action}" for action in actions), on=on),)


def on(arn: str, *actions: str) -> tuple[Need, ...]:
    """Actions on one ARN without `arn:aws:`."""
    return (Need(actions=actions, on=arn),)


ROLE = "iam::{account}:role/{name}"
