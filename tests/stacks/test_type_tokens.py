"""Our resources have the type tokens of `tests/stacks/type_tokens.yaml` from release to release.

A token is a part of the URN of its resource and of all children: another token makes Pulumi delete
the resources and create them again. The state has a dynamic provider as the path of its class: in
another module, Pulumi cannot refresh or delete the resources of the last release.
"""

import base64
from importlib import import_module
from pathlib import Path

import dill  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml
from pulumi.dynamic.dynamic import serialize_provider

from analysis.plan import make
from tests.support.plans import CASES, plan

EXPECTED = yaml.safe_load(Path(__file__).with_name("type_tokens.yaml").read_text())

EXTRAS = {"inference_mode": "cluster", "gpu_headroom": "1", "notebook_people": "1"}
"""Config of the components that no mode has by default."""


def test_the_plans_of_all_stacks_have_the_type_tokens_of_the_last_release() -> None:
    plans = [*(plan(*case) for case in CASES), make("integrated", EXTRAS)]
    types = {resource.type for planned in plans for resource in planned.resources}

    ours = {type_ for type_ in types if type_.startswith(("seamless:", "pulumi-python:"))}
    assert sorted(ours) == sorted([*EXPECTED["components"], *EXPECTED["dynamic"]])


@pytest.mark.parametrize(("token", "name"), EXPECTED["dynamic"].items())
def test_the_state_has_only_the_module_and_the_class_of_a_dynamic_provider(
    token: str, name: str
) -> None:
    """It has no secret and no code, so changed code of a provider is no change of a resource."""
    module = import_module(name)
    provider = module._Provider()
    pickled = base64.b64decode(serialize_provider(provider))

    own = [value for value in vars(module).values() if getattr(value, "__module__", "") == name]
    tokens = [cls._resource_type_name for cls in own if hasattr(cls, "_resource_type_name")]
    assert [f"pulumi-python:{found}" for found in tokens] == [token]
    assert name.encode() in pickled
    assert len(pickled) < 150
    assert type(dill.loads(pickled)) is type(provider)  # noqa: S301  # made above
