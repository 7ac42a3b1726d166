"""Proves that each way to run a model on a cluster is either refused with a reason or admitted.

Platform x GPU x sharing, for a model that fits one small GPU and one that needs a large one.
"""

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
    "exclusive",
    "mig:1g.10gb",
    "mps:4",
    "time-slicing:4",
    "dra",
    "amd-partition:DPX_NPS2",
)

CONFIG = StackConfig(gpu_model="gpt-oss-20b", gpu_context_tokens=8192, gpu_concurrency=4)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one combination."""

    platform: str
    gpu: str
    sharing: str
    refusal: str
    admitted: int


def outcome(api: Api, platform: str, on: str, sharing: str) -> Outcome:
    """Size, share, and give every object to the API server."""
    wanted = structs.replace(CONFIG, gpu_type=on, gpu_sharing=sharing)
    try:
        fit = stack_gpu.fitting(wanted, platform)
        handed_out = stack_gpu.sharing(wanted, PLATFORMS[platform], fit)
        serving = stack_gpu.serving(wanted, fit, handed_out)
    except ConfigError as error:
        return Outcome(platform=platform, gpu=on, sharing=sharing, refusal=str(error), admitted=0)

    def program() -> None:
        cluster = replace(
            described(f"{gpu(on).vendor}.com/gpu"),
            gpu_resource=handed_out.resource,
            gpu_device_class=handed_out.device_class,
        )
        ClusterInference(
            "matrix", cluster=cluster, sharing=handed_out, model_spec=serving, sizing=fit.text
        )

    asked = bodies(objects(program))
    for body in asked:
        admit(api, body)
    return Outcome(platform=platform, gpu=on, sharing=sharing, refusal="", admitted=len(asked))


def test_a_model_that_needs_two_nodes_is_admitted_whole_with_leaders_and_workers(api: Api) -> None:
    asked = bodies(objects(lambda: model("two-nodes", WIDE)))
    (group,) = [body for body in asked if body["kind"] == "LeaderWorkerSet"]
    leader, worker = templates(group)
    for body in asked:
        admit(api, body)
    for template in (leader, worker):
        (server,) = template["spec"]["containers"]
        assert server["resources"]["limits"]["nvidia.com/gpu"] == "8"


def test_every_combination_is_refused_with_its_remedy_or_admitted_whole(
    api: Api, say: Callable[[str], None]
) -> None:
    found = [
        outcome(api, platform, on, sharing)
        for platform in PLATFORMS
        for on, sharing in product(sorted({m.gpu for m in machines(platform)}), SHARINGS)
    ]

    counts = Counter((o.platform, o.sharing, "refused" if o.refusal else "admitted") for o in found)
    say("platform x sharing over all GPUs, gpt-oss-20b: admitted / refused")
    for platform, sharing in product(PLATFORMS, SHARINGS):
        yes, no = (counts[platform, sharing, word] for word in ("admitted", "refused"))
        say(f"  {platform:13} {sharing:24} {yes:3} / {no}")
    assert all("pulumi config set " in o.refusal for o in found if o.refusal)
    assert all(o.admitted > 30 for o in found if not o.refusal)
    assert counts["aws", "exclusive", "admitted"] > 5
    assert counts["digitalocean", "exclusive", "admitted"] > 5
    assert not counts["digitalocean", "mps:4", "admitted"]
    assert not counts["aws", "amd-partition:DPX_NPS2", "admitted"]
