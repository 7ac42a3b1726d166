"""Monitoring of the integrated variant, and the project that groups its resources."""

from collections.abc import Sequence

import pulumi
import pulumi_digitalocean as digitalocean

_DATABASE = {
    "cpu": ("v1/dbaas/alerts/cpu_alerts", 80),
    "memory": ("v1/dbaas/alerts/memory_utilization_alerts", 90),
    "disk": ("v1/dbaas/alerts/disk_utilization_alerts", 80),
}
"""Alert types of a database with their thresholds in percent."""


class Monitoring(pulumi.ComponentResource):
    """An uptime check and alerts by mail.

    Creates:
    - a project with the bucket and the database
    - an uptime check of `/healthz` from three regions
    - alerts of the check and of the database's CPU, memory and disk, if `alert_email` is set

    Limitations: DigitalOcean has no API for billing alerts; they are set in the control panel. Its
    alerts know hosts, databases and uptime, but no lines of a function's log: failed documents and
    endpoints that are out need an alert at a log destination (`log_destinations`) on lines with
    `event=document_failed` and `event=endpoint_out`.
    """

    project: pulumi.Output[str]
    """Id of the project."""

    def __init__(
        self,
        name: str,
        *,
        title: str,
        production: bool,
        page_url: pulumi.Input[str],
        database: pulumi.Input[str],
        resources: Sequence[pulumi.Input[str]],
        alert_email: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args:
        title: Name of the project, unique in the account.
        database: Id of the database cluster.
        resources: URNs of the project's resources, as DigitalOcean writes them.
        alert_email: Receives alerts; the account must have confirmed it. Empty for none.
        """
        super().__init__("seamless:digitalocean:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        project = digitalocean.Project(
            f"{name}-project",
            name=title,
            purpose="Web Application",
            environment="Production" if production else "Development",
            resources=list(resources),
            opts=child,
        )
        check = digitalocean.UptimeCheck(
            f"{name}-check",
            target=pulumi.Output.concat(page_url, "healthz"),
            type="https",
            regions=["us_east", "eu_west", "se_asia"],
            opts=child,
        )
        if alert_email:
            digitalocean.UptimeAlert(
                f"{name}-down",
                check_id=check.id,
                type="down",
                period="5m",
                notifications=[
                    digitalocean.UptimeAlertNotificationArgs(emails=[alert_email]),
                ],
                opts=child,
            )
            for noun, (type_, percent) in _DATABASE.items():
                digitalocean.MonitorAlert(
                    f"{name}-database-{noun}",
                    type=type_,
                    compare="GreaterThan",
                    value=percent,
                    window="10m",
                    entities=[database],
                    description=f"{title}: the database's {noun} is above {percent} %",
                    alerts=digitalocean.MonitorAlertAlertsArgs(emails=[alert_email]),
                    opts=child,
                )
        self.project = project.id
        self.register_outputs({"project": self.project})
