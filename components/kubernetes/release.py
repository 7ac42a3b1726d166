"""A chart of our table, installed."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.charts import Chart
from components.kubernetes.pods import Manifest

TIMEOUT_SECONDS = 900
"""A new node and its images may have to come first."""


def installed(
    name: str,
    chart: Chart,
    *,
    namespace: pulumi.Input[str],
    values: Manifest,
    opts: pulumi.ResourceOptions,
) -> kubernetes.helm.v3.Release:
    """Install a chart as Helm does, with its hooks; a failure leaves nothing half-made behind."""
    return kubernetes.helm.v3.Release(
        name,
        # Other objects go by what the chart names after its release.
        name=chart.name,
        chart=chart.repository if chart.is_image else chart.name,
        repository_opts=None if chart.is_image else {"repo": chart.repository},
        version=chart.version,
        namespace=namespace,
        values=values,
        atomic=True,
        cleanup_on_fail=True,
        timeout=TIMEOUT_SECONDS,
        opts=opts,
    )
