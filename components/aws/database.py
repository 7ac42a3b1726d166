"""The database of the split arrangement: an RDS PostgreSQL instance that only functions reach."""

from typing import Literal

import pulumi
from pulumi_aws import rds

from components.aws.iam import Statement, allow
from components.aws.network import Network
from components.aws.secrets import Secret
from components.generated import GeneratedSecret

NAME = "summarizer"
"""Of the database and of the application's role."""

MASTER = "postgres"


class Database(pulumi.ComponentResource):
    """A private, encrypted PostgreSQL (see `components.contracts.Database`).

    It is an instance, not a Multi-AZ cluster, whose replicas may show what was never committed
    (jepsen.io, 2025-04-29). RDS makes, keeps and rotates the master user's password; the
    application has a role of its own, which owns the database and nothing else
    (`functions.handlers.aws_database` makes it, since RDS does not).
    """

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    name: pulumi.Output[str]
    user: pulumi.Output[str]
    password: pulumi.Output[str]
    """Secret. Functions take it by `password_reference`."""
    password_reference: pulumi.Output[str]
    """Where it lies, as ECS writes it."""
    master: pulumi.Output[str]
    """The role that makes roles."""
    master_password_reference: pulumi.Output[str]
    """`ARN:KEY::` of the password that RDS keeps, as ECS writes it."""
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
        production: True takes the larger size in two zones, keeps backups for 14 days instead of
            one, and leaves a snapshot behind when it is deleted.
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
            parameters=[rds.ParameterGroupParameterArgs(name="rds.force_ssl", value="1")],
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
            ca_cert_identifier="rds-ca-rsa2048-g1",  # the functions trust it: handlers/aws_rds.pem
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
            maintenance_window="sun:04:00-sun:05:00",
            backup_window="02:30-03:30",
            enabled_cloudwatch_logs_exports=["postgresql", "upgrade"],
            deletion_protection=protect,
            skip_final_snapshot=not production,
            # A name that a second installation does not have as well.
            final_snapshot_identifier=pulumi.Output.concat(parameters.name, "-final")
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
        """May read the password of the application's role."""
        return self._secret.grant_read()

    def grant_master_password(self) -> Statement:
        """May read the password of the master user."""
        return allow("secretsmanager:GetSecretValue", on=[self._master_arn])
