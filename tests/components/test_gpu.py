"""The catalogue of GPUs and machines is whole: each row is alone, has a source, and is found."""

from collections import Counter
from datetime import date

import pytest

from components.gpu import GPUS, MACHINES, Gpu, Machine, _droplets, _ec2, gpu, machine, machines

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize("row", GPUS.values(), ids=GPUS)
def test_a_gpu_is_found_by_its_name_and_says_where_its_figures_are_from(row: Gpu) -> None:
    assert gpu(row.name) is row
    assert row.source
    assert date(2025, 1, 1) <= row.seen <= TODAY
    assert row.vendor in {"nvidia", "amd"}
    assert row.memory_mib > 0


@pytest.mark.parametrize("row", MACHINES.values(), ids=MACHINES)
def test_a_machine_is_found_by_its_slug_and_has_a_known_gpu(row: Machine) -> None:
    assert machine(row.slug) is row
    assert gpu(row.gpu).name == row.gpu
    assert row.source
    assert row.seen is None or row.seen <= TODAY
    assert row.count in {1, 2, 4, 8}
    assert row.usd_hour is None or row.usd_hour > 0
    assert row.vcpus
    assert row.memory_gib


def test_no_slug_names_two_machines() -> None:
    slugs = Counter(row.slug for row in (*_droplets(), *_ec2()))
    assert [slug for slug, times in slugs.items() if times > 1] == []


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


def test_a_gpu_shows_the_memory_that_error_correction_leaves() -> None:
    assert gpu("l4").memory_gib == pytest.approx(22.35, abs=0.01)
    assert gpu("h100").memory_gib == 80
    assert gpu("mi300x").memory_gib == 192


def test_mig_slices_are_named_by_their_memory_and_counted_by_what_fits() -> None:
    assert gpu("h200").mig == {
        "1g.18gb": 7,
        "1g.35gb": 4,
        "2g.35gb": 3,
        "3g.71gb": 2,
        "4g.71gb": 1,
        "7g.141gb": 1,
    }
    assert gpu("a100").mig["1g.10gb"] == 7
    assert gpu("l40s").mig == {}
    assert gpu("mi300x").mig == {}


def test_only_amd_gpus_have_partition_modes() -> None:
    assert {row.vendor for row in GPUS.values() if row.partitions} == {"amd"}


def test_formats_follow_the_generations() -> None:
    def having(feature: str) -> set[str]:
        return {row.generation for row in GPUS.values() if getattr(row, feature)}

    assert {row.generation for row in GPUS.values() if not row.bf16} == {"Turing"}
    assert having("fp8") == {"Ada", "Hopper", "Blackwell", "CDNA3", "CDNA4"}
    assert having("mxfp4") == {"Blackwell", "CDNA4"}
