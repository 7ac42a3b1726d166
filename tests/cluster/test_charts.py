"""Proves that charts know every value that we give them, and that what they make is admitted.

Charts that no Go module holds are not here; `tools/programs/cluster_parts.py` says which.
"""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.kubernetes.addons import LEVELS
from components.kubernetes.base.charts import CHARTS
from tests.components.kubernetes.test_addons import BARE, OWN, planned, releases, sharing
from tests.support.cluster.charts import defaults, rendered, unknown
from tests.support.cluster.control_plane import Api
from tests.support.cluster.deployed import FIRST, admit, templates

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

INSTALLED = (
    ("kube-prometheus-stack", "exclusive"),
    ("keda", "exclusive"),
    ("lws", "exclusive"),
    ("nvidia-device-plugin", "exclusive"),
    ("nvidia-device-plugin", "mps:4"),
    ("nvidia-device-plugin", "time-slicing:4"),
    ("dra-driver-nvidia-gpu", "dra"),
)
"""Charts that a module holds, and the ways of sharing for which they get other values."""
HELD = sorted({name for name, _ in INSTALLED})


@cache
def releases_of(value: str) -> dict[str, dict[str, Any]]:
    """What a cluster is asked to install for a way of sharing."""
    return releases(planned(sharing(OWN, value), BARE, groups=True))


def test_every_chart_that_a_module_holds_is_looked_at(charts: Path) -> None:
    assert sorted(folder.name for folder in charts.iterdir()) == HELD


@pytest.mark.parametrize("name", HELD)
def test_a_chart_is_of_the_version_that_we_install(charts: Path, name: str) -> None:
    about = yaml.safe_load((charts / name / "Chart.yaml").read_text())
    # The chart of LeaderWorkerSet gets its version when it is published.
    version = about["appVersion"] if name == "lws" else about["version"]
    assert version.lstrip("v") == CHARTS[name].version


@pytest.mark.parametrize(("name", "value"), INSTALLED)
def test_a_chart_knows_every_value_that_it_is_given(charts: Path, name: str, value: str) -> None:
    assert not list(unknown(releases_of(value)[name]["values"], defaults(charts / name)))


def test_a_mistyped_value_is_found(charts: Path) -> None:
    wrong = {
        "gpuResourcesEnabledOveride": True,
        "resources": {"computeDomain": {"enabled": False}, "gpus": {"enabled": True}},
        "kubeletPlugin": {"nodeSelector": {"anything": "goes"}},
    }
    assert list(unknown(wrong, defaults(charts / "dra-driver-nvidia-gpu"))) == [
        "gpuResourcesEnabledOveride",
        "resources.computeDomain",
    ]
    stack = defaults(charts / "kube-prometheus-stack")
    assert list(unknown({"grafana": {"admin": {"existingSecretName": ""}}}, stack)) == [
        "grafana.admin.existingSecretName"
    ]


@pytest.mark.parametrize(("name", "value"), INSTALLED)
def test_what_a_chart_makes_is_admitted_and_runs_images_of_one_version(
    api: Api, charts: Path, helm: Path, name: str, value: str
) -> None:
    release = releases_of(value)[name]
    made = rendered(helm, charts / name, release)
    api.apply(namespace(release["namespace"]))
    for body in sorted(made, key=lambda body: body["kind"] not in FIRST):
        if body["kind"] != "CustomResourceDefinition":  # the tests of others have theirs
            admit(api, body)

    images = {
        container["image"]
        for body in made
        for template in templates(body)
        for container in template["spec"]["containers"]
    }
    assert images
    for image in images:
        _, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
        assert any(letter.isdigit() for letter in tag), image


def namespace(name: str) -> dict[str, Any]:
    """As ours is made for charts, with the level of Pod Security that it has."""
    labels = {"pod-security.kubernetes.io/enforce": LEVELS[name]}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
