"""The doctor says what a machine has, and gives the command for each thing that it lacks."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.engine.fakes import program
from tools import bootstrap, doctor
from tools.doctor import Finding
from tools.engine import installation


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test an empty cache and a PATH with nothing on it; return the PATH's folder."""
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


def test_a_machine_that_has_all_gets_no_remedy(machine: Path) -> None:
    for name, says in {
        "git": "",
        "uv": "uv 0.13.9",
        "pulumi": "v3.240.1",
        "pulumi-resource-pulumi-python": "",
        "chromium": "",
    }.items():
        program(machine, name, f"echo {says}")

    findings = doctor.examine()

    assert {each.name: each.ok for each in findings} == dict.fromkeys(
        [
            "Python",
            "git",
            "uv",
            ".venv",
            "Pulumi engine",
            "PostgreSQL",
            "Chromium",
            "free space",
            "cache folder",
        ],
        True,
    )
    assert {each.remedy for each in findings} == {""}
    assert finding("Pulumi engine").found == f"3.240.1, from PATH, at {machine}/pulumi"


def test_postgresql_is_started_not_only_looked_for() -> None:
    assert finding("PostgreSQL").found.startswith("postgres (PostgreSQL) ")


def test_a_postgresql_that_is_missing_is_fixed_by_a_new_venv(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
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
def test_a_missing_program_is_named_with_its_package(name: str, found: str, remedy: str) -> None:
    assert finding(name) == Finding(name=name, ok=False, found=found, remedy=remedy)


def test_root_is_not_told_to_use_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert finding("git").remedy == "apt-get install git"


def test_a_chromium_variable_that_names_nothing_is_shown_with_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHROMIUM", "/opt/none")

    assert not finding("Chromium").ok
    assert "'/opt/none'" in finding("Chromium").found
    assert finding("Chromium").remedy == "unset CHROMIUM"


def test_a_venv_that_is_behind_the_lock_is_fixed_by_the_bootstrap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bootstrap, "in_step", lambda: False)

    assert not finding(".venv").ok
    assert finding(".venv").remedy.endswith(f" {bootstrap.ROOT}/tools/bootstrap.py")


def test_without_an_engine_the_doctor_says_how_it_will_come_and_how_long_that_takes(
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


def test_an_engine_of_ours_is_shown_with_its_source(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "seamless" / "engine" / "v3.232.0"
    program(folder / "bin", "pulumi", "")
    (folder / "host").mkdir()

    assert installation.find() is not None
    assert finding("Pulumi engine").found == f"3.232.0, built here, at {folder}/bin/pulumi"


def test_the_engine_build_needs_more_space_than_the_engine(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(3e9, monkeypatch)
    assert not finding("free space").ok
    assert finding("free space").found.startswith("3.0 GB at ")
    assert finding("free space").found.endswith(", 5 GB needed")
    assert "XDG_CACHE_HOME" in finding("free space").remedy

    program(machine, "pulumi", "echo v3.240.1")
    program(machine, "pulumi-resource-pulumi-python", "")
    assert finding("free space").ok


def test_a_cache_folder_that_cannot_be_written_is_fixed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path)

    assert finding("cache folder") == Finding(
        name="cache folder",
        ok=False,
        found=f"{tmp_path} is not writable",
        remedy='export XDG_CACHE_HOME="$PWD/.seamless/cache"',
    )
