"""One config value moves the inference to another mode, and nothing else."""

import subprocess
import sys
from itertools import permutations

import pytest

from analysis.plan import Plan, make
from policies.common.stateful import STATEFUL
from policies.resource import Resource
from stacks.errors import ConfigError
from tests.support.plans import MODES, plan
from tools.workspace import ROOT

PAIRS = [
    (name, *pair)
    for name, inference_modes in MODES.items()
    for pair in permutations(inference_modes, 2)
]

MODEL_WEIGHTS = {
    "aws:efs/fileSystem:FileSystem",
    "aws:kms/key:Key",
    "digitalocean:index/nfs:Nfs",
}
"""Types of what comes and goes with a cluster: it can be downloaded again."""

POINTED = {
    "integrated": {"functions-api", "functions-summarize", "functions-sweep"},
    "split": {
        "functions-api",
        "functions-summarize",
        "functions-sweep",
        "functions-inference-key-version",
    },
    "local": {"functions-host"},
}
"""What must change, since it is told of the endpoint."""


def by_name(planned: Plan) -> dict[tuple[str, str], Resource]:
    return {(r.type, r.name): r for r in planned.resources}


@pytest.mark.parametrize(("stack", "before", "after"), PAIRS)
def test_a_move_changes_the_endpoint_and_who_is_pointed_at_it_and_nothing_else(
    stack: str, before: str, after: str
) -> None:
    old, new = by_name(plan(stack, before)), by_name(plan(stack, after))

    changed = {
        name for type_, name in old.keys() & new.keys() if old[type_, name] != new[type_, name]
    }
    assert changed <= POINTED[stack]
    gone_or_made = [old.get(key) or new[key] for key in old.keys() ^ new.keys()]
    assert not [r.name for r in gone_or_made if r.type in STATEFUL - MODEL_WEIGHTS]
    assert {r.name.split("-")[0] for r in gone_or_made} <= {
        "cluster",
        "dedicated",
        "model",
        "network",
        "serverless",
        "functions",
    }


@pytest.mark.parametrize("stack", MODES)
def test_the_outputs_name_the_inference_mode_and_stay_the_same_otherwise(stack: str) -> None:
    for inference_mode in MODES[stack]:
        assert plan(stack, inference_mode).inference_mode == inference_mode
        assert (
            plan(stack, inference_mode).outputs.keys() == plan(stack, "serverless").outputs.keys()
        )


def test_one_machine_offers_no_cluster_and_says_so() -> None:
    with pytest.raises(ConfigError, match="local has no GPU node pool"):
        make("local", {"inference_mode": "cluster"})


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_the_plan_shows_the_arithmetic_behind_the_machines(stack: str) -> None:
    (shown,) = plan(stack, "cluster").sizing
    assert "GiB" in shown
    assert "$" in shown
    assert plan(stack, "serverless").sizing == []


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_a_model_that_does_not_fit_is_refused_with_the_nearest_choice_that_does(
    stack: str,
) -> None:
    asked = {"inference_mode": "cluster", "gpu_type": "l40s", "gpu_model": "gpt-oss-120b"}
    with pytest.raises(ConfigError) as refused:
        make(stack, asked | {"gpu_concurrency": "64", "gpu_context_tokens": "131072"})
    assert "does not fit" in str(refused.value)
    assert "pulumi config set gpu_type " in str(refused.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gpu_model": "gpt-5"}, "gpu_model is 'gpt-5', but it must be one of gpt-oss-120b"),
        ({"gpu_minimum": "3", "gpu_maximum": "2"}, "must not be above gpu_maximum, which is 2"),
        ({"gpu_device_group": "render"}, "gpu_device_group"),
        ({"gpu_sharing": "mps:4"}, "gpu_sharing"),
        ({"gpu_model": "llama-3.1-8b-instruct"}, "hugging_face_token is not set"),
        ({"cluster_api_cidrs": "10.0.0.1/8"}, "cluster_api_cidrs is '10.0.0.1/8'"),
        ({"gpu_type": "h9000"}, "gpu_type is 'h9000'"),
        (
            {"gpu_sharing": "dra", "kubernetes_version": "1.33.4-do.0"},
            "kubernetes_version is '1.33.4-do.0', but gpu_sharing dra claims GPUs by an API of 1.34"
            " and newer. Set it: pulumi config set kubernetes_version 1.34 --stack integrated",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    values: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        make("integrated", {"inference_mode": "cluster", **values})
    assert words in str(refused.value)
    assert "pulumi config set " in str(refused.value)


@pytest.mark.parametrize("version", ["", "1.34", "1.35.1-do.0"])
@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_gpus_can_be_claimed_at_both_clouds(stack: str, version: str) -> None:
    values = {"inference_mode": "cluster", "gpu_sharing": "dra", "kubernetes_version": version}
    kinds = [r.inputs.get("kind") for r in make(stack, values).resources]
    assert kinds.count("ResourceClaimTemplate") == 1


def test_dedicated_inference_is_refused_where_digitalocean_has_none() -> None:
    with pytest.raises(ConfigError, match="Dedicated Inference only in atl1, nyc2, tor1"):
        make("integrated", {"inference_mode": "dedicated", "region": "ams3"})


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_a_fallback_is_the_variants_own_serverless_endpoint(stack: str) -> None:
    planned = make(stack, {"inference_mode": "cluster", "fallback": "serverless"})
    assert planned.inference_mode == "cluster"
    assert not [v for v in planned.policies if v.id == "DO-K8-04"]


def test_what_a_cluster_may_have_beside_its_model_is_one_value_each() -> None:
    asked = {"gpu_headroom": "1", "notebook_people": "3"}
    with_extras = by_name(make("integrated", {"inference_mode": "cluster", **asked}))
    extra = {name for _, name in with_extras.keys() - by_name(plan("integrated", "cluster")).keys()}
    assert {"model-headroom", "model-notebooks"} <= extra
    with_own = {
        "inference_mode": "cluster",
        "cluster_prometheus": "http://prometheus.monitoring:9090",
    }
    fewer = by_name(make("integrated", with_own))
    gone = {name for _, name in by_name(plan("integrated", "cluster")).keys() - fewer.keys()}
    assert any("prometheus" in name for name in gone)


@pytest.mark.parametrize(
    ("stack", "inference_mode", "expected"),
    [
        ("local", "serverless", []),
        ("integrated", "serverless", ["pulumi_digitalocean"]),
        ("integrated", "dedicated", ["pulumi_digitalocean"]),
        ("split", "serverless", ["pulumi_aws"]),
    ],
)
def test_a_stack_loads_only_the_sdk_of_its_cloud(
    stack: str, inference_mode: str, expected: list[str]
) -> None:
    """The SDKs of Kubernetes and TLS are for clusters."""
    code = (
        "import sys; from analysis.plan import make;"
        f"make({stack!r}, {{'inference_mode': {inference_mode!r}}});"
        "print(sorted(m for m in sys.modules if m.startswith('pulumi_') and '.' not in m))"
    )
    loaded = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert loaded.stdout.strip() == str(expected)
