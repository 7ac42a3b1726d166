"""One config value changes the inference mode, and nothing else."""

import shlex
import subprocess
import sys
from itertools import permutations

import pytest

from analysis.plan import make
from policies.common.stateful import STATEFUL
from sizing.machines import MACHINES
from stacks.errors import ConfigError
from tests.support.plans import MODES, by_urn, names, plan
from tools.workspace import ROOT

PAIRS = [
    (name, *pair)
    for name, inference_modes in MODES.items()
    for pair in permutations(inference_modes, 2)
]

WEIGHTS = {"aws:efs/fileSystem:FileSystem", "aws:kms/key:Key", "digitalocean:index/nfs:Nfs"}
"""Stateful types that belong to a cluster; their data can be downloaded again."""

FUNCTIONS = {"functions-api", "functions-summarize", "functions-sweep"}
CHANGED = {
    "integrated": FUNCTIONS,
    "split": FUNCTIONS | {"functions-inference-key-version"},
    "local": {"functions-host"},
}
"""The resources that have the endpoint in their inputs."""


@pytest.mark.parametrize(("stack", "before", "after"), PAIRS)
def test_another_mode_changes_only_the_endpoint_and_the_functions(
    stack: str, before: str, after: str
) -> None:
    old, new = by_urn(plan(stack, before)), by_urn(plan(stack, after))

    changed = {new[urn].name for urn in old.keys() & new.keys() if old[urn] != new[urn]}
    assert changed <= CHANGED[stack]
    others = [old.get(urn) or new[urn] for urn in old.keys() ^ new.keys()]
    assert not [r.name for r in others if r.type in STATEFUL - WEIGHTS]
    expected = {"cluster", "dedicated", "model", "network", "serverless", "functions"}
    assert {r.name.split("-")[0] for r in others} <= expected


@pytest.mark.parametrize("stack", MODES)
def test_every_inference_mode_has_the_same_outputs(stack: str) -> None:
    for inference_mode in MODES[stack]:
        assert plan(stack, inference_mode).inference_mode == inference_mode
        assert plan(stack, inference_mode).outputs.keys() == plan(stack).outputs.keys()


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_the_plan_of_a_cluster_shows_memory_and_price(stack: str) -> None:
    (shown,) = plan(stack, "cluster").sizing
    assert "GiB" in shown
    assert "$" in shown
    assert plan(stack, "serverless").sizing == []


@pytest.mark.parametrize(
    ("stack", "gpu_type"), [("integrated", "gpu-h100x1-80gb"), ("split", "l40s")]
)
def test_a_model_that_does_not_fit_is_refused_with_a_machine_that_fits(
    stack: str, gpu_type: str
) -> None:
    requests = {"inference_mode": "cluster", "gpu_type": gpu_type, "gpu_model": "gpt-oss-120b"}
    with pytest.raises(ConfigError) as refused:
        make(stack, requests | {"gpu_concurrency": "64", "gpu_context_tokens": "131072"})
    assert "does not fit" in str(refused.value)
    assert "pulumi config set gpu_type " in str(refused.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gpu_model": "gpt-5"}, "gpu_model is 'gpt-5', but it must be one of gpt-oss-120b"),
        ({"gpu_device_group": "render"}, "gpu_device_group"),
        ({"gpu_sharing": "mps:4"}, "gpu_sharing"),
        ({"gpu_model": "llama-3.1-8b-instruct"}, "hugging_face_token is not set"),
        ({"gpu_type": "h9000"}, "gpu_type is 'h9000'"),
        (
            {"gpu_sharing": "dra", "kubernetes_version": "1.33.4-do.0"},
            "kubernetes_version is '1.33.4-do.0', but gpu_sharing dra claims GPUs by an API of 1.34"
            " and newer. Set it: pulumi config set kubernetes_version 1.34 --stack integrated",
        ),
        (
            {"inference_mode": "dedicated", "region": "ams3"},
            "Dedicated Inference only in atl1, nyc2, tor1",
        ),
    ],
)
def test_an_invalid_value_of_a_mode_is_refused_with_a_remedy(
    values: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        make("integrated", {"inference_mode": "cluster", **values})
    assert message in str(refused.value)
    assert "pulumi config set " in str(refused.value)


@pytest.mark.parametrize(
    ("values", "region", "machine"),
    [
        ({"inference_mode": "dedicated"}, "tor1", "gpu-mi325x1-256gb"),
        ({"inference_mode": "cluster"}, "nyc2", "gpu-h200x1-141gb"),
        ({"inference_mode": "cluster", "gpu_device_group": "106"}, "nyc2", "gpu-mi325x1-256gb"),
        ({"inference_mode": "cluster", "cluster_region": "atl1"}, "atl1", "gpu-h200x1-141gb"),
    ],
)
def test_the_default_machine_is_sold_in_the_region_and_amd_needs_a_device_group(
    values: dict[str, str], region: str, machine: str
) -> None:
    text = str([r.inputs for r in make("integrated", values).resources])
    (chosen,) = {slug for slug in MACHINES if f"'{slug}'" in text}

    assert chosen == machine
    assert region in (MACHINES[machine].regions or ())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"inference_mode": "dedicated", "gpu_type": "gpu-h200x1-141gb"},
            "Config gpu_type is 'gpu-h200x1-141gb', but tor1 does not sell it: gpu-h200x1-141gb "
            "is sold in atl1, nyc2 (",
        ),
        (
            {"inference_mode": "cluster", "gpu_type": "gpu-mi300x1-192gb"},
            "Config gpu_type is 'gpu-mi300x1-192gb', but nyc2 does not sell it: gpu-mi300x1-192gb "
            "is sold in no region (",
        ),
    ],
)
def test_a_machine_that_the_region_does_not_sell_is_refused(
    values: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        make("integrated", values)

    assert str(refused.value).startswith(message)
    assert str(refused.value).endswith("pulumi config set gpu_type '' --stack integrated")


@pytest.mark.parametrize("version", ["", "1.34", "1.35.1-do.0"])
@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_both_clouds_have_resource_claims_for_gpus(stack: str, version: str) -> None:
    values = {"inference_mode": "cluster", "gpu_sharing": "dra", "kubernetes_version": version}
    kinds = [r.inputs.get("kind") for r in make(stack, values).resources]
    assert kinds.count("ResourceClaimTemplate") == 1


@pytest.mark.parametrize("stack", ["integrated", "split"])
def test_a_cluster_with_a_fallback_meets_the_policy_for_gpu_pools(stack: str) -> None:
    planned = make(stack, {"inference_mode": "cluster", "fallback": "serverless"})
    assert planned.inference_mode == "cluster"
    assert not [v for v in planned.policies if v.id == "DO-K8-04"]


def test_headroom_notebooks_and_an_existing_prometheus_are_one_value_each() -> None:
    mode = {"inference_mode": "cluster"}
    default = names(plan("integrated", "cluster"))
    more = names(make("integrated", mode | {"gpu_headroom": "1", "notebook_people": "3"}))
    assert {"model-headroom", "model-notebooks"} <= more - default
    existing = {"cluster_prometheus": "http://prometheus.monitoring:9090"}
    assert any(
        "prometheus" in name for name in default - names(make("integrated", mode | existing))
    )


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
    plan(stack, inference_mode)  # skips the test in a fork without the variant
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


ROLE = "arn:aws:iam::123456789012:role"


@pytest.mark.parametrize(
    ("admins", "message"),
    [
        (
            f"{ROLE}/ann,{ROLE}/bob,{ROLE}/ann",
            f"Config cluster_admins is '{ROLE}/ann', but it must be in the list once.",
        ),
        (
            f"{ROLE}/ann,{ROLE}/bob.b,{ROLE}/bob-b",
            f"Config cluster_admins is '{ROLE}/bob-b', but its letters and digits name its "
            f"resources, and those of {ROLE}/bob.b are the same.",
        ),
    ],
)
def test_administrators_with_the_same_resource_names_are_refused(admins: str, message: str) -> None:
    config = {"inference_mode": "cluster", "cluster_admins": admins}

    with pytest.raises(ConfigError) as error:
        make("split", config)

    told, _, remedy = str(error.value).partition(" Set it: ")
    assert told == message
    *command, key, value, _, stack = shlex.split(remedy)
    assert (*command, key, stack) == ("pulumi", "config", "set", "cluster_admins", "split")
    names = {resource.name for resource in make("split", config | {key: value}).resources}
    assert len([name for name in names if name.startswith("cluster-admin-")]) == 2
