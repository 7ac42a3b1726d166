"""GPUs and machines are found by name, and follow from what their generation can do."""

import pytest

from sizing.machines import GPUS, MACHINES, gpu, machine, machines


def test_a_machine_can_be_used_and_paid() -> None:
    assert {row.count for row in MACHINES.values()} == {1, 2, 4, 8}
    assert all(row.usd_hour is None or row.usd_hour > 0 for row in MACHINES.values())


def test_an_unknown_gpu_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown GPU 'h1000': it must be one of a100, .*h100,"):
        gpu("h1000")


def test_an_unknown_machine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"Unknown machine 'p5\.2xlarge': .*p5\.48xlarge"):
        machine("p5.2xlarge")


def test_an_unknown_platform_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"platform 'gcp': it must be one of aws, digitalocean"):
        list(machines("gcp"))


def test_machines_are_those_of_the_platform_sold_by_the_hour() -> None:
    assert {row.platform for row in machines("aws")} == {"aws"}
    assert {row.purchase for row in machines()} == {"on-demand"}
    assert {row.purchase for row in machines("digitalocean", purchases=("spot",))} == {"spot"}


def test_mig_slices_share_the_memory_of_their_gpu() -> None:
    for card in GPUS.values():
        for profile, most in card.mig.items():
            slice_gb = int(profile.partition(".")[2].removesuffix("gb"))
            assert slice_gb * most * 10**9 <= card.memory_mib * 2**20 * 1.05, (card.name, profile)


def test_only_amd_gpus_have_partition_modes() -> None:
    assert {row.vendor for row in GPUS.values() if row.partitions} == {"amd"}


def test_formats_follow_the_generations() -> None:
    def having(feature: str) -> set[str]:
        return {row.generation for row in GPUS.values() if getattr(row, feature)}

    assert {row.generation for row in GPUS.values() if not row.bf16} == {"Turing"}
    assert having("fp8") == {"Ada", "Hopper", "Blackwell", "CDNA3", "CDNA4"}
    assert having("mxfp4") == {"Blackwell", "CDNA4"}
