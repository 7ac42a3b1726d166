"""Preflight finds a machine that a DigitalOcean account cannot create in the stack's region."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from preflight.checks import Command, Finding
from preflight.digitalocean import check
from tests.support.accounts import digitalocean as clouds
from tests.support.accounts.digitalocean_lists import Account
from tests.support.clouds.world import World
from tests.support.preflight_context import context

SUPPORT = "ask DigitalOcean to allot it to the account: cloudsupport.digitalocean.com"
CLUSTER = {"inference_mode": "cluster"}
DEDICATED = {"inference_mode": "dedicated"}
GPT_OSS = "openai/gpt-oss-120b"


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A new account."""
    account = Account(World(folder=tmp_path, cloud="digitalocean"))
    with clouds.running(account):
        monkeypatch.setenv("DIGITALOCEAN_API_URL", account.url)
        monkeypatch.setenv("DIGITALOCEAN_TOKEN", account.token)
        yield account


def found(key: str, config: dict[str, str]) -> Finding:
    """The one finding for this config key."""
    (finding,) = [f for f in check(context("integrated", config)) if f.name == key]
    return finding


def test_a_size_that_is_not_allotted_to_the_account_is_an_error(account: Account) -> None:
    assert found("gpu_type", CLUSTER) == Finding(
        name="gpu_type",
        ok=False,
        found="gpu_type gives gpu-h200x1-141gb in nyc2, but the account can create it in no region",
        remedy="pulumi config set gpu_type gpu-mi325x1-256gb --stack integrated, or " + SUPPORT,
    )


@pytest.mark.parametrize("command", ["preview", "drift"])
def test_sizes_that_only_up_needs_are_information_before_another_command(
    account: Account, command: Command
) -> None:
    account.dedicated = {"gpu-mi325x1-256gb": ()}
    account.models = {GPT_OSS: ("gpu-h100x8-640gb",)}

    findings = [
        finding
        for mode in (CLUSTER, DEDICATED)
        for finding in check(replace(context("integrated", mode), command=command))
        if finding.name in ("gpu_type", "gpu_model")
    ]

    assert [(f.name, f.ok, bool(f.remedy)) for f in findings] == [
        ("gpu_type", None, True),
        ("gpu_type", None, True),
        ("gpu_model", None, True),
    ]


def test_a_size_of_another_region_has_this_region_as_a_remedy(account: Account) -> None:
    account.allotted = {"gpu-h200x1-141gb": ("atl1",)}

    finding = found("gpu_type", CLUSTER)

    assert finding.found.endswith("but the account can create it only in atl1")
    assert finding.remedy.startswith("pulumi config set cluster_region atl1 --stack integrated, or")


def test_an_allotted_size_and_an_existing_pool_are_no_problem(account: Account) -> None:
    existing = {"cluster-gpu": {"size": "gpu-h200x1-141gb"}}
    names = [f.name for f in check(context("integrated", CLUSTER, existing=existing))]
    assert "gpu_type" not in names

    account.allotted = {"gpu-h200x1-141gb": ("nyc2",)}
    assert found("gpu_type", CLUSTER).ok
    assert found("cluster_region", CLUSTER).ok


def test_dedicated_inference_is_checked_in_its_own_list_of_sizes(account: Account) -> None:
    assert found("gpu_type", DEDICATED).ok

    account.dedicated = {"gpu-mi325x1-256gb": ("atl1",), "gpu-mi325x8-2048gb": ("tor1",)}
    assert found("gpu_type", DEDICATED) == Finding(
        name="gpu_type",
        ok=False,
        found="gpu_type gives gpu-mi325x1-256gb in tor1, but the account can create it only in "
        "atl1",
        remedy="pulumi config set gpu_type gpu-mi325x8-2048gb --stack integrated, or " + SUPPORT,
    )


@pytest.mark.parametrize(
    ("sizes", "ok", "message"),
    [
        (None, None, "does not list the model"),
        (("gpu-mi325x1-256gb",), True, f"gpu-mi325x1-256gb runs {GPT_OSS}"),
        (("gpu-h100x8-640gb",), False, f"runs {GPT_OSS} only on gpu-h100x8-640gb"),
    ],
)
def test_dedicated_inference_runs_a_listed_model_only_on_its_sizes(
    account: Account, sizes: tuple[str, ...] | None, ok: bool | None, message: str
) -> None:
    account.models = {GPT_OSS: sizes} if sizes else {"mistral/mistral-7b-instruct-v3": ("x",)}

    finding = found("gpu_model", DEDICATED)

    assert finding.ok is ok
    assert finding.found.endswith(message)
    assert bool(finding.remedy) is (ok is False)


@pytest.mark.parametrize(
    ("mode", "path"), [(CLUSTER, "/v2/sizes"), (DEDICATED, "/v2/dedicated-inferences/sizes")]
)
def test_sizes_are_unknown_if_the_account_does_not_list_them(
    account: Account, mode: dict[str, str], path: str
) -> None:
    account.fail(f"GET {path}", 403)

    finding = found("gpu_type", mode)

    assert finding.ok is None
    assert finding.found.endswith(f"has it: GET {path} answered 403")
