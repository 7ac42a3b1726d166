"""Each combination of platform, GPU and sharing mode is an error with a remedy, or admitted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import pytest
from msgspec import structs

from components.aws.cluster.eks import GPU_PLATFORM as EKS
from components.digitalocean.cluster import GPU_PLATFORM as DOKS
from components.kubernetes.inference import ClusterInference
from sizing.machines import gpu, machines
from stacks import gpu as stack_gpu
from stacks.config import StackConfig
from stacks.errors import ConfigError
from tests.support.accounts.kubernetes import WIDE, described, model, objects
from tests.support.cluster.control_plane import Api
from tests.support.cluster.deployed import admit, bodies, templates

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PLATFORMS = {"aws": EKS, "digitalocean": DOKS}
SHARINGS = (
    *("exclusive", "mig:1g.10gb", "mps:4", "time-slicing:4", "dra"),
    "amd-partition:DPX_NPS2",
)
CONFIG = StackConfig(gpu_model="gpt-oss-20b", gpu_context_tokens=8192, gpu_concurrency=4)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of one combination."""

    platform: str
    gpu: str
    sharing: str
    error: str
    admitted: int


def outcome(api: Api, platform: str, on: str, sharing: str) -> Outcome:
    """Size the model, and have every object admitted."""
    wanted = structs.replace(CONFIG, gpu_type=on, gpu_sharing=sharing)
    try:
        fit = stack_gpu.fitting(wanted, platform)
        shared = stack_gpu.sharing(wanted, PLATFORMS[platform], fit)
        serving = stack_gpu.serving(wanted, fit, shared)
    except ConfigError as error:
        return Outcome(platform=platform, gpu=on, sharing=sharing, error=str(error), admitted=0)

    def program() -> None:
        cluster = replace(
            described(f"{gpu(on).vendor}.com/gpu"),
            gpu_resource=shared.resource,
            gpu_device_class=shared.device_class,
        )
        ClusterInference(
            "matrix", cluster=cluster, sharing=shared, model_spec=serving, sizing=fit.text
        )

    found = bodies(objects(program))
    for body in found:
        admit(api, body)
    return Outcome(platform=platform, gpu=on, sharing=sharing, error="", admitted=len(found))


def test_a_model_on_two_nodes_is_admitted_with_leader_and_worker(api: Api) -> None:
    found = bodies(objects(lambda: model("two-nodes", WIDE)))
    (group,) = [body for body in found if body["kind"] == "LeaderWorkerSet"]
    leader, worker = templates(group)
    for body in found:
        admit(api, body)
    for template in (leader, worker):
        (server,) = template["spec"]["containers"]
        assert server["resources"]["limits"]["nvidia.com/gpu"] == "8"


def test_every_combination_is_an_error_with_a_remedy_or_admitted(
    api: Api, say: Callable[[str], None]
) -> None:
    found = [
        outcome(api, platform, on, sharing)
        for platform in PLATFORMS
        for on, sharing in product(sorted({m.gpu for m in machines(platform)}), SHARINGS)
    ]

    counts = Counter((o.platform, o.sharing, "error" if o.error else "admitted") for o in found)
    say("platform x sharing over all GPUs, gpt-oss-20b: admitted / error")
    for platform, sharing in product(PLATFORMS, SHARINGS):
        yes, no = (counts[platform, sharing, word] for word in ("admitted", "error"))
        say(f"  {platform:13} {sharing:24} {yes:3} / {no}")
    assert all("pulumi config set " in o.error for o in found if o.error)
    assert all(o.admitted > 30 for o in found if not o.error)
    assert counts["aws", "exclusive", "admitted"] > 5
    assert counts["digitalocean", "exclusive", "admitted"] > 5
    assert not counts["digitalocean", "mps:4", "admitted"]
    assert not counts["aws", "amd-partition:DPX_NPS2", "admitted"]
