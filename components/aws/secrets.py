"""A secret in Secrets Manager."""

import pulumi
from pulumi_aws import secretsmanager

from components.aws.iam import Statement, allow


class Secret(pulumi.ComponentResource):
    """A value that functions read by reference; no function's configuration contains it.

    Creates:
    - a secret in Secrets Manager with one version
    """

    reference: pulumi.Output[str]
    """`ARN:KEY:STAGE:VERSION`, the notation of ECS. A new value changes it, and so updates the
    functions that have it in their environment."""

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
        recovery_days: Days in which a deleted secret can be restored, 7 to 30; 0 deletes it at
            once.
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
        """Allow reading the value."""
        return allow("secretsmanager:GetSecretValue", on=[self._arn])
