"""A Helm release of a chart from `charts.py`."""

import pulumi
import pulumi_kubernetes as kubernetes

from components.kubernetes.base.charts import Chart
from components.kubernetes.base.pods import Manifest

TIMEOUT_SECONDS = 900
"""Enough for a new node to start and pull the images."""


def helm_release(
    name: str,
    chart: Chart,
    *,
    namespace: pulumi.Input[str],
    values: Manifest,
    opts: pulumi.ResourceOptions,
) -> kubernetes.helm.v3.Release:
    """Install a chart with its hooks; a failed installation is rolled back."""
    return kubernetes.helm.v3.Release(
        name,
        # Charts derive the names of their objects from the release's.
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
