"""The database of the split variant: an RDS PostgreSQL instance in the private subnets."""

from typing import Literal

import pulumi
from pulumi_aws import rds

from components.aws.iam import Statement, allow
from components.aws.network import Network
from components.aws.secrets import Secret
from components.generated_secret import GeneratedSecret

NAME = "summarizer"
"""Name of the database and of the application's role."""

MASTER = "dbmaster"


class Database(pulumi.ComponentResource):
    """A private, encrypted PostgreSQL (see `components.contracts.Database`).

    Creates:
    - an RDS PostgreSQL 17 instance with gp3 storage, backups and `rds.force_ssl`
    - a subnet group and a parameter group
    - a generated password of the application's role, as a secret

    The instance is no Multi-AZ cluster, whose replicas may return rows that were never committed
    (jepsen.io, 2025-04-29). RDS creates, stores and rotates the master user's password. The
    application's role owns its database and nothing else; RDS has no API for roles, so
    `functions.handlers.aws_database_owner` creates it.
    """

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    name: pulumi.Output[str]
    user: pulumi.Output[str]
    password: pulumi.Output[str]
    """Secret. Functions read it by `password_reference`."""
    password_reference: pulumi.Output[str]
    """Reference to the password, in the notation of ECS."""
    master: pulumi.Output[str]
    """Name of the master user."""
    master_password_reference: pulumi.Output[str]
    """`ARN:KEY::` of the password that RDS stores, in the notation of ECS."""
    sslmode: Literal["disable", "require", "verify-full"] = "verify-full"
    identifier: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        network: Network,
        production: bool,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        production: True takes a db.t4g.small in two zones instead of a db.t4g.micro in one, keeps
            backups for 14 days instead of one, and takes a final snapshot on deletion.
        protect: True refuses to delete the data, and keeps a deleted password for 30 days.
        """
        super().__init__("seamless:aws:Database", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        subnets = rds.SubnetGroup(
            f"{name}-subnets", subnet_ids=network.private_subnet_ids, opts=child
        )
        parameters = rds.ParameterGroup(
            f"{name}-parameters",
            family="postgres17",
            parameters=[
                rds.ParameterGroupParameterArgs(
                    name="rds.force_ssl",
                    value="1",
                    # RDS answers this for the default of a family, so another method would be a
                    # difference for ever. A new instance starts with the value.
                    apply_method="pending-reboot",
                )
            ],
            opts=child,
        )
        instance = rds.Instance(
            f"{name}-instance",
            engine="postgres",
            engine_version="17",
            instance_class="db.t4g.small" if production else "db.t4g.micro",
            allocated_storage=20,
            max_allocated_storage=100,
            storage_type="gp3",
            storage_encrypted=True,
            ca_cert_identifier="rds-ca-rsa2048-g1",  # in functions/handlers/aws_rds.pem
            db_name=NAME,
            port=5432,
            username=MASTER,
            manage_master_user_password=True,
            multi_az=production,
            publicly_accessible=False,
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[network.database_group_id],
            parameter_group_name=parameters.name,
            backup_retention_period=14 if production else 1,
            copy_tags_to_snapshot=True,
            auto_minor_version_upgrade=True,
            # Otherwise `environment: prod` would wait until Sunday: see docs/decisions/008.
            apply_immediately=True,
            maintenance_window="sun:04:00-sun:05:00",
            backup_window="02:30-03:30",
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            deletion_protection=protect,
            skip_final_snapshot=not production,
            # Unique in the account. The name of the parameter group has a random suffix, and the
            # others change with every argument that replaces the instance.
            final_snapshot_identifier=pulumi.Output.concat(
                parameters.name, f"-{NAME}-{MASTER}-final"
            )
            if production
            else None,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        self.password = GeneratedSecret(f"{name}-password", opts=child).value
        self._secret = Secret(
            f"{name}-role",
            value=self.password,
            description="Password of the application's role in the database",
            recovery_days=30 if protect else 0,
            opts=child,
        )
        self._master_arn: pulumi.Output[str] = instance.master_user_secrets.apply(
            lambda secrets: secrets[0].secret_arn
        )
        self.host, self.port = instance.address, instance.port
        self.name, self.user = instance.db_name, pulumi.Output.from_input(NAME)
        self.password_reference = self._secret.reference
        self.master = instance.username
        self.master_password_reference = pulumi.Output.concat(self._master_arn, ":password::")
        self.identifier = instance.identifier
        self.register_outputs({"host": self.host, "port": self.port, "name": self.name})

    def grant_password(self) -> Statement:
        """Allow reading the password of the application's role."""
        return self._secret.grant_read()

    def grant_master_password(self) -> Statement:
        """Allow reading the password of the master user."""
        return allow("secretsmanager:GetSecretValue", on=[self._master_arn])
