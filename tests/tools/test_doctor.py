"""The doctor checks the prerequisites and prints the command that fixes each problem."""

import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.engine.fakes import program
from tools import bootstrap, doctor
from tools.doctor import Finding


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test an empty cache and an empty PATH; return the folder of the PATH."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(bootstrap, "in_step", lambda: True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    free(6e9, monkeypatch)
    return tmp_path / "bin"


def free(space: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=space))


def finding(name: str) -> Finding:
    (only,) = (each for each in doctor.examine() if each.name == name)
    return only


def test_a_complete_machine_gets_no_remedy(machine: Path) -> None:
    for name, says in {
        "git": "",
        "uv": "uv 0.13.9",
        "pulumi": "v3.240.1",
        "pulumi-resource-pulumi-python": "",
        "chromium": "",
    }.items():
        program(machine, name, f"echo {says}")

    findings = doctor.examine()

    assert [each.name for each in findings] == [
        *("Python", "git", "uv", ".venv", "Pulumi engine", "PostgreSQL", "Chromium"),
        *("free space", "cache folder"),
    ]
    assert {(each.ok, each.remedy) for each in findings} == {(True, "")}
    assert finding("Pulumi engine").found == f"3.240.1, from PATH, at {machine}/pulumi"
    # The program is started, not only found.
    assert finding("PostgreSQL").found.startswith("postgres (PostgreSQL) ")


def test_a_missing_postgresql_is_fixed_by_a_new_venv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)

    assert finding("PostgreSQL") == Finding(
        name="PostgreSQL",
        ok=False,
        found="no programs in .venv",
        remedy=f"rm -r {bootstrap.ROOT}/.venv && {bootstrap.ROOT}/seamless doctor",
    )


@pytest.mark.parametrize(
    ("name", "found", "remedy"),
    [
        ("git", "none on PATH", "sudo apt-get install git"),
        (
            "Chromium",
            "none; only `./seamless test browser` needs it",
            "sudo apt-get install chromium",
        ),
    ],
)
def test_a_missing_program_is_fixed_by_its_package(name: str, found: str, remedy: str) -> None:
    assert finding(name) == Finding(name=name, ok=False, found=found, remedy=remedy)


def test_root_is_not_told_to_use_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert finding("git").remedy == "apt-get install git"


def test_a_chromium_variable_without_a_program_is_shown_with_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHROMIUM", "/opt/none")

    chromium = finding("Chromium")
    assert (chromium.ok, chromium.remedy) == (False, "unset CHROMIUM")
    assert "'/opt/none'" in chromium.found


def test_an_outdated_venv_is_fixed_by_the_bootstrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "in_step", lambda: False)

    assert not finding(".venv").ok
    assert finding(".venv").remedy.endswith(f" {bootstrap.ROOT}/tools/bootstrap.py")


def test_without_an_engine_the_doctor_shows_how_it_will_be_installed(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert finding("Pulumi engine") == Finding(
        name="Pulumi engine",
        ok=True,
        found="none; the first `./seamless up` downloads it in a minute, or builds it "
        "with Go from PyPI in about 3 minutes",
    )

    go = program(machine, "go", "echo go version go1.26.8 linux/amd64")
    assert f"builds it with the Go at {go} in" in finding("Pulumi engine").found


def test_a_cached_engine_is_shown_with_its_source(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "seamless" / "engine" / "v3.232.0"
    program(folder / "bin", "pulumi", "")
    (folder / "host").mkdir()

    assert finding("Pulumi engine").found == f"3.232.0, built here, at {folder}/bin/pulumi"


def test_a_build_of_the_engine_needs_free_space(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(3e9, monkeypatch)
    space = finding("free space")
    assert not space.ok
    assert re.fullmatch(r"3\.0 GB at .*, 5 GB needed", space.found)
    assert "XDG_CACHE_HOME" in space.remedy

    program(machine, "pulumi", "echo v3.240.1")
    program(machine, "pulumi-resource-pulumi-python", "")
    assert finding("free space").ok


def test_a_read_only_cache_folder_is_fixed_by_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path)

    assert finding("cache folder") == Finding(
        name="cache folder",
        ok=False,
        found=f"{tmp_path} is not writable",
        remedy='export XDG_CACHE_HOME="$PWD/.seamless/cache"',
    )
