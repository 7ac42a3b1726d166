"""The catalogue of GPUs and machines."""

from collections.abc import Callable
from typing import Any

import pytest

from sizing.machines import GPUS, MACHINES, gpu, machine, machines


def test_a_machine_has_one_to_eight_gpus_and_a_price_above_zero() -> None:
    assert {row.count for row in MACHINES.values()} == {1, 2, 4, 8}
    assert all(row.usd_hour is None or row.usd_hour > 0 for row in MACHINES.values())


@pytest.mark.parametrize(
    ("find", "name", "message"),
    [
        (gpu, "h1000", r"Unknown GPU 'h1000': it must be one of a100, .*h100,"),
        (machine, "p5.2xlarge", r"Unknown machine 'p5\.2xlarge': .*p5\.48xlarge"),
        (machines, "gcp", r"platform 'gcp': it must be one of aws, digitalocean"),
    ],
)
def test_the_error_for_an_unknown_name_has_the_valid_names(
    find: Callable[[str], Any], name: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        list(find(name))


def test_machines_are_filtered_by_platform_and_purchase() -> None:
    assert {row.platform for row in machines("aws")} == {"aws"}
    assert {row.purchase for row in machines()} == {"on-demand"}
    assert {row.purchase for row in machines("digitalocean", purchases=("spot",))} == {"spot"}


def test_machines_of_a_region_are_those_that_it_sells_or_whose_regions_are_unknown() -> None:
    atl1 = {row.slug: row.regions for row in machines("digitalocean", region="atl1")}
    everywhere = {row.slug for row in machines("digitalocean")}

    assert {slug for slug, regions in atl1.items() if regions} == {"gpu-h200x1-141gb"}
    assert atl1["gpu-h100x8-640gb"] is None
    assert "gpu-mi300x1-192gb" not in everywhere
    assert machine("gpu-mi300x1-192gb").sold.startswith("sold in no region (api.digitalocean.com")
    assert machine("gpu-h100x8-640gb").sold == "regions unknown: preflight asks the account"


def test_mig_slices_fit_in_the_memory_of_their_gpu() -> None:
    for card in GPUS.values():
        for profile, most in card.mig.items():
            slice_gb = int(profile.partition(".")[2].removesuffix("gb"))
            assert slice_gb * most * 10**9 <= card.memory_mib * 2**20 * 1.05, (card.name, profile)


def test_the_generation_of_a_gpu_determines_its_formats() -> None:
    def having(feature: str) -> set[str]:
        return {row.generation for row in GPUS.values() if getattr(row, feature)}

    assert {row.generation for row in GPUS.values() if not row.bf16} == {"Turing"}
    assert having("fp8") == {"Ada", "Hopper", "Blackwell", "CDNA3", "CDNA4"}
    assert having("mxfp4") == {"Blackwell", "CDNA4"}
