"""Charts rendered by Helm, and values that a chart does not have."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Values = Mapping[str, Any]

KUBERNETES = "1.36"


def rendered(helm: Path, chart: Path, release: Values) -> list[dict[str, Any]]:
    """The objects of a release, with its hooks."""
    answer = subprocess.run(
        [
            *(str(helm / "helm"), "template", release["name"], str(chart)),
            *("--namespace", release["namespace"], "--kube-version", KUBERNETES),
            *("--values", "-"),
        ],
        input=json.dumps(release["values"]),
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    found = [body for body in yaml.safe_load_all(answer.stdout) if body]
    for body in found:
        body["metadata"].setdefault("namespace", release["namespace"])
    return found


def unknown(values: Values, defaults: Values, path: str = "") -> Iterator[str]:
    """Keys without a default, which a chart ignores; an empty default accepts any value."""
    for key, value in values.items():
        if key not in defaults:
            yield f"{path}{key}"
        elif isinstance(value, Mapping) and isinstance(defaults[key], Mapping) and defaults[key]:
            yield from unknown(value, defaults[key], f"{path}{key}.")


def defaults(chart: Path) -> dict[str, Any]:
    """The default values of a chart and its subcharts."""
    own = yaml.safe_load((chart / "values.yaml").read_text()) or {}
    inside = {
        folder.name: defaults(folder)
        for folder in (chart / "charts").glob("*")
        if (folder / "values.yaml").exists()
    }
    return _merged(inside, own)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found
