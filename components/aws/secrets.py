"""A secret in Secrets Manager, and how a function is told where it is."""

import pulumi
from pulumi_aws import secretsmanager

from components.aws.iam import Statement, allow


class Secret(pulumi.ComponentResource):
    """A value that functions read by reference, so that it is in no function's configuration."""

    reference: pulumi.Output[str]
    """`ARN:KEY:STAGE:VERSION`, as ECS writes it. A new value changes it and restarts its users."""

    def __init__(
        self,
        name: str,
        *,
        value: pulumi.Input[str],
        description: str,
        recovery_days: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        value: Secret.
        recovery_days: How long a deleted one can be brought back, 7 to 30; 0 is not at all.
        """
        super().__init__("seamless:aws:Secret", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        secret = secretsmanager.Secret(
            f"{name}-secret",
            description=description,
            recovery_window_in_days=recovery_days,
            opts=child,
        )
        version = secretsmanager.SecretVersion(
            f"{name}-version",
            secret_id=secret.id,
            secret_string=pulumi.Output.secret(value),
            opts=child,
        )
        self._arn: pulumi.Output[str] = secret.arn
        self.reference = pulumi.Output.concat(secret.arn, ":::", version.version_id)
        self.register_outputs({"reference": self.reference})

    def grant_read(self) -> Statement:
        """May read the value."""
        return allow("secretsmanager:GetSecretValue", on=[self._arn])
