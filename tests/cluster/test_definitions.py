"""Proves that the API server takes our custom resources as their own projects define them."""

from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components.kubernetes.watching import Watching
from tests.cluster.control_plane import Api, RefusedError
from tests.components.kubernetes.cluster import SMALL, manifest
from tests.components.kubernetes.test_scaling import ASLEEP, asked
from tests.components.kubernetes.test_watching import asked as watched
from tests.local import until
from tools import cluster_parts

pytestmark = pytest.mark.cluster

KINDS = {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"}
