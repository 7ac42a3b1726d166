"""The roles of the Lambda functions, which outlive the functions and their network."""

from collections.abc import Sequence

import pulumi
from pulumi_aws import iam

from components.aws.iam import Statement, allow, policy, trust

RELEASE = "90m"
"""Time for Lambda to delete its network interfaces, during which their groups and subnets remain.

Reported: 20 to 57 minutes (hashicorp/terraform-provider-aws#10329, #32130, pulumi/pulumi-aws#2642).
The AWS provider waits for 15 and 20 minutes by default, and then fails.
"""

_INTERFACES = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)


class ExecutionRoles(pulumi.ComponentResource):
    """Roles that Lambda assumes to run functions in a VPC.

    Creates:
    - a role for each function, with the right to network interfaces

    Lambda deletes a function's network interfaces with the function's role, up to an hour after the
    function (docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html). So the groups and
    subnets of these interfaces must depend on `ready`: then the roles are deleted after them.
    """

    roles: dict[str, iam.Role]
    ready: list[pulumi.Resource]
    """With these Lambda can create and delete network interfaces."""

    def __init__(
        self, name: str, *, functions: Sequence[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Args: functions: Their names."""
        super().__init__("seamless:aws:ExecutionRoles", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.roles, self.ready = {}, []
        for function in functions:
            role = iam.Role(
                f"{name}-{function}-role",
                assume_role_policy=trust("lambda.amazonaws.com"),
                opts=child,
            )
            self.ready.append(
                iam.RolePolicy(
                    f"{name}-{function}-interfaces",
                    role=role.id,
                    policy=policy(_network_interfaces()),
                    opts=child,
                )
            )
            self.roles[function] = role
        self.register_outputs({})


def _network_interfaces() -> list[Statement]:
    """Allow network interfaces to Lambda, but not to the code of a function.

    IAM cannot restrict their creation to one VPC. Only a call of a function's code has
    `lambda:SourceFunctionArn` (docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html).
    """
    deny = allow(
        *_INTERFACES,
        on=["*"],
        when={"ArnLike": {"lambda:SourceFunctionArn": "arn:aws:lambda:*:*:function:*"}},
    )
    return [allow(*_INTERFACES, on=["*"]), {**deny, "Effect": "Deny"}]
