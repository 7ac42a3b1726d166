"""Charts have every value that a release sets, and their objects are admitted.

`tools/programs/cluster_parts.py` lists the charts without a Go module, which are not tested.
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
"""Charts in a Go module, and the sharing modes that change their values."""
HELD = sorted({name for name, _ in INSTALLED})


@cache
def releases_of(value: str) -> dict[str, dict[str, Any]]:
    """The releases of a cluster for a sharing mode."""
    return releases(planned(sharing(OWN, value), BARE, groups=True))


def test_every_chart_in_a_go_module_is_tested(charts: Path) -> None:
    assert sorted(folder.name for folder in charts.iterdir()) == HELD


@pytest.mark.parametrize("name", HELD)
def test_a_chart_has_the_installed_version(charts: Path, name: str) -> None:
    about = yaml.safe_load((charts / name / "Chart.yaml").read_text())
    # The chart of LeaderWorkerSet gets its version when it is published.
    version = about["appVersion"] if name == "lws" else about["version"]
    assert version.lstrip("v") == CHARTS[name].version


@pytest.mark.parametrize(("name", "value"), INSTALLED)
def test_a_chart_has_every_value_of_its_release(charts: Path, name: str, value: str) -> None:
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
def test_the_objects_of_a_chart_are_admitted_and_their_images_have_a_version(
    api: Api, charts: Path, helm: Path, name: str, value: str
) -> None:
    release = releases_of(value)[name]
    made = rendered(helm, charts / name, release)
    api.apply(namespace(release["namespace"]))
    for body in sorted(made, key=lambda body: body["kind"] not in FIRST):
        if body["kind"] != "CustomResourceDefinition":  # the fixture `api` applies them
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
    """The namespace of a chart with its Pod Security level."""
    labels = {"pod-security.kubernetes.io/enforce": LEVELS[name]}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
