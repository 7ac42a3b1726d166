"""The clean-up destroys or names every resource that a killed live run left.

The real engine deploys to the simulated DigitalOcean. The kill ends all processes at once, as a
power failure does: no handler runs, and the engine's lock stays. `test_process.py` tests signals.
"""

import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest

from tests.engine.test_clouds import serve_cluster
from tests.support import local
from tests.support.accounts import digitalocean as functions_api
from tests.support.accounts.digitalocean_lists import Account
from tests.support.clouds import launch
from tests.support.clouds.world import World
from tests.support.engine.clone import Clone, clone
from tests.support.live.accounts import INFERENCE_KEY

pytestmark = [pytest.mark.engine, pytest.mark.timeout(500)]

KEY = secrets.token_hex()

CONTRACT = f"""
import json, os, pathlib

def test_what_is_deployed_can_be_reached(request):
    file = pathlib.Path(request.config.getoption("--outputs"))
    outputs = json.loads(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    assert outputs["bucket"].startswith("live-")
    assert outputs["variant"] == "integrated"
    assert "{INFERENCE_KEY}" not in os.environ
    pathlib.Path("contract-was-here").write_text(outputs["bucket"])
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A copy of the project and a simulated account."""

    clone: Clone
    world: World
    account: Account

    def live(self, *arguments: str, expect: int) -> str:
        """`./seamless test live integrated …`."""
        command = ("test", "live", "integrated", "--contract=contract", *arguments)
        return self.clone.run(*command, expect=expect)

    def stack_files(self) -> list[str]:
        """Names of the files of live stacks."""
        return [file.name for file in (self.clone.root / "stacks").glob("Pulumi.live-*.yaml")]

    def states(self) -> list[Path]:
        """Files with the state of a stack."""
        folder = self.clone.root / ".seamless" / "state" / ".pulumi" / "stacks"
        return list(folder.rglob("*.json"))

    def kill(self) -> bool | None:
        """Kill the run once the state has every resource; the clouds are locked meanwhile."""
        with self.world.change() as resources, self.account.paused():
            known = "".join(file.read_text() for file in self.states())
            made = [*(item["id"] for item in resources.values()), *self.account.namespaces]
            if not all(id_ in known for id_ in made):
                return None
            # Not `psutil.wait_procs`: it would take the run's exit code from `subprocess`.
            while processes := self.clone.processes():
                # Parents first, so that none of them notices that a child ended.
                processes.sort(key=lambda process: process.create_time())
                for number in (signal.SIGSTOP, signal.SIGKILL):
                    for process in processes:
                        with suppress(psutil.NoSuchProcess):
                            process.send_signal(number)
        return True


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server, s3: str
) -> Iterator[Place]:
    """Nothing is deployed yet; the contract is one test."""
    folder = tmp_path_factory.mktemp("live")
    world = World(folder=folder / "clouds", cloud="digitalocean")
    environment = launch.environment(world.folder)
    account = Account(world)
    with functions_api.running(account), clone(folder / "clone", "integrated", environment) as made:
        copy = replace(made, checkpoints=True)
        environment |= {
            "COLUMNS": "250",
            "DIGITALOCEAN_API_URL": account.url,
            "DIGITALOCEAN_TOKEN": account.token,
            "SPACES_ENDPOINT_URL": s3,
            "PGSSLMODE": "disable",
            INFERENCE_KEY: KEY,
        }
        del environment["AWS_ACCESS_KEY_ID"]  # there is no account at AWS
        serve_cluster(postgres, world)
        contract = copy.root / "contract"
        contract.mkdir()
        (contract / "test_reach.py").write_text(CONTRACT)
        (contract / "conftest.py").write_text(
            "def pytest_addoption(parser):\n    parser.addoption('--outputs')\n"
        )
        yield Place(clone=copy, world=world, account=account)


ORPHAN = "an-id-that-no-state-has"


def test_a_killed_run_leaves_its_resources_its_files_and_the_lock(place: Place) -> None:
    """The kill happens when the certificate of the cluster is read."""
    done = threading.Event()

    def kill() -> None:
        local.until(place.kill, seconds=300)
        (file,) = place.stack_files()
        name = file.removeprefix("Pulumi.").removesuffix(".yaml")
        with place.world.change() as resources:  # not recorded by the engine
            resources[ORPHAN] = {
                "type": "digitalocean:index/uptimeCheck:UptimeCheck",
                "name": "unrecorded-check",
                "id": ORPHAN,
                "outputs": {"name": f"{name}-unrecorded-check"},
            }
        done.set()

    place.account.before["GET /v2/databases/[^/]+/ca"] = kill

    place.live(expect=-signal.SIGKILL)

    assert done.wait(timeout=300)
    types = {resource["type"] for resource in place.world.resources().values()}
    assert "digitalocean:index/databaseCluster:DatabaseCluster" in types
    assert len(place.stack_files()) == 1
    assert len(place.states()) == 1
    assert list((place.clone.root / ".seamless" / "state" / ".pulumi" / "locks").rglob("*.json"))


def test_the_clean_up_destroys_the_resources_of_the_state_and_names_the_rest(place: Place) -> None:
    (killed,) = place.stack_files()
    name = killed.removeprefix("Pulumi.").removesuffix(".yaml")

    printed = place.live("--clean", "--settle=0", expect=1)

    assert f"{name}: its run was killed; destroying it" in printed
    assert f"deleted tag stack:{name}" in printed
    assert f"{name} left uptime check {name}-unrecorded-check" in printed
    assert f"doctl monitoring uptime delete {ORPHAN}" in printed
    assert list(place.world.resources()) == [ORPHAN]
    assert place.account.namespaces == {}
    assert place.states() == []
    assert place.stack_files() == [killed]


def test_the_next_run_passes_the_contract_and_leaves_nothing(place: Place) -> None:
    with place.world.change() as resources:
        del resources[ORPHAN]

    printed = place.live("--settle=0", expect=0)

    assert "clean-up: 1 killed runs destroyed; accounts: integrated" in printed
    assert "2 passed, 1 skipped" in printed  # split is skipped
    assert (place.clone.root / "contract-was-here").read_text().startswith("live-")
    assert place.world.resources() == {}
    assert place.account.namespaces == {}
    assert [tag for tag in place.account.tags if tag.startswith("stack:")] == []
    assert place.states() == []
    assert place.stack_files() == []
    assert KEY not in printed
    files = [path for path in place.clone.root.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
