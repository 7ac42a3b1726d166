"""A live run that is killed in the middle leaves nothing that is not named, destroyed or both.

On the real engine at the simulated DigitalOcean; the contract is a stand-in that looks at what it
is given. The kill takes everything at once, as an empty battery does: no handler runs, and the
engine's lock and a half-made resource are left in the state. What a signal does, which leaves time
to destroy, is in `test_process.py`.
"""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import local
from tests.clouds import launch
from tests.clouds.world import World
from tests.components.digitalocean import cloud as functions_api
from tests.engine.clone import Clone, clone
from tests.live.account import Account
from tests.live.accounts import INFERENCE_KEY
from tools.workspace import project_name

pytestmark = [pytest.mark.engine, pytest.mark.timeout(500)]

KEY = secrets.token_hex()

CONTRACT = f"""
import json, os, pathlib

def test_what_is_deployed_can_be_reached(request):
    file = pathlib.Path(request.config.getoption("--outputs"))
    outputs = json.loads(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    assert outputs["bucket"].startswith("live-")
    assert outputs["arrangement"] == "integrated"
    assert "{INFERENCE_KEY}" not in os.environ
    pathlib.Path("contract-was-here").write_text(outputs["bucket"])
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """A copy of the project beside a simulated account."""

    clone: Clone
    world: World
    account: Account

    def live(self, *arguments: str, expect: int) -> str:
        """`./seamless test live integrated …`."""
        return self.clone.run(
            "test",
            "live",
            "integrated",
            "--contract=contract",
            *arguments,
            expect=expect,
            seconds=400,
        )

    def stack_files(self) -> list[str]:
        """Live stacks that have a file."""
        return [file.name for file in (self.clone.root / "stacks").glob("Pulumi.live-*.yaml")]

    def states(self) -> list[str]:
        """Stacks that the engine has a state of."""
        return [file.name for file in self._states()]

    def left(self) -> bool | None:
        """True when something with the stack's tag exists, and the engine knows of all there is."""
        known = "".join(file.read_text() for file in self._states())
        there = [resource["id"] for resource in self.world.resources().values()]
        tagged = any(tag.startswith("stack:") for tag in self.account.tags)
        return (tagged and bool(there) and all(id_ in known for id_ in there)) or None

    def _states(self) -> Iterator[Path]:
        return (self.clone.root / ".seamless" / "state" / ".pulumi" / "stacks").rglob("*.json")

    def is_empty(self) -> None:
        """Nothing is left anywhere."""
        assert self.world.resources() == {}
        assert self.account.namespaces == {}
        assert [tag for tag in self.account.tags if tag.startswith("stack:")] == []
        assert self.states() == []
        assert self.stack_files() == []


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server, s3: str
) -> Iterator[Place]:
    """Nothing is deployed yet, and a contract of one test lies ready."""
    folder = tmp_path_factory.mktemp("live")
    world = World(folder=folder / "clouds", cloud="digitalocean")
    environment = launch.environment(world.folder)
    account = Account(world)
    with (
        functions_api.running(account),
        clone(folder / "clone", "integrated", environment) as copy,
    ):
        environment |= {
            "COLUMNS": "250",
            "DIGITALOCEAN_API_URL": account.url,
            "DIGITALOCEAN_TOKEN": account.token,
            "SPACES_ENDPOINT_URL": s3,
            "PGSSLMODE": "disable",
            INFERENCE_KEY: KEY,
        }
        del environment["AWS_ACCESS_KEY_ID"]  # there is no account at AWS to ask
        postgres.postgres.create_database(
            port=postgres.port,
            admin_password=postgres.admin_password,
            name="summarizer",
            password="password-of-a-test",
        )
        world.answer(
            "database-cluster",
            host="127.0.0.1",
            port=postgres.port,
            user="postgres",
            password=postgres.admin_password,
        )
        contract = copy.root / "contract"
        contract.mkdir()
        (contract / "test_reach.py").write_text(CONTRACT)
        (contract / "conftest.py").write_text(
            "def pytest_addoption(parser):\n    parser.addoption('--outputs')\n"
        )
        yield Place(clone=copy, world=world, account=account)


def test_a_run_that_is_killed_leaves_what_it_made_and_says_where(place: Place) -> None:
    """A part of the stack exists, the engine's lock is held by nobody."""

    def die() -> None:
        # Not before there is something to leave: what is independent is made in any order.
        local.until(place.left)
        for process in place.clone.processes():
            process.kill()

    place.account.before["POST /v2/functions/namespaces"] = die

    place.live(expect=-9)

    assert place.world.resources() != {}
    assert len(place.stack_files()) == 1
    assert len(place.states()) == 1
    assert list((place.clone.root / ".seamless" / "state" / ".pulumi" / "locks").rglob("*.json"))


def test_cleaning_up_destroys_that_and_names_what_is_in_no_state(place: Place) -> None:
    """The engine died while the namespace was made, so nobody but the cloud knows of it."""
    (killed,) = place.stack_files()
    name = killed.removeprefix("Pulumi.").removesuffix(".yaml")
    (orphan,) = place.account.namespaces

    printed = place.live("--clean", "--settle=0", expect=1)

    assert f"{name}: its run was killed; destroying it" in printed
    assert f"deleted tag stack:{name}" in printed
    assert f"{name} left functions namespace {project_name()}-{name}" in printed
    assert f"doctl serverless namespaces delete {orphan} --force" in printed
    assert place.world.resources() == {}
    assert place.states() == []
    assert place.stack_files() == [killed]


def test_the_next_run_keeps_the_contract_and_leaves_nothing(place: Place) -> None:
    """Neither in the cloud, nor at the Functions, nor in the state, nor in the stack files."""
    place.account.namespaces.clear()  # as somebody did by the command that was printed

    printed = place.live("--settle=0", expect=0)

    assert "clean-up: 1 killed runs destroyed; asked integrated" in printed
    assert "2 passed, 1 skipped" in printed  # split, which nobody asked for
    assert (place.clone.root / "contract-was-here").read_text().startswith("live-")
    place.is_empty()
    assert KEY not in printed
    assert _files_with(place.clone.root, KEY) == []


def _files_with(root: Path, text: str) -> list[Path]:
    """Files of a folder that hold a text."""
    return [
        Path(folder) / name
        for folder, _, files in os.walk(root)
        for name in files
        if (Path(folder) / name).is_file() and text.encode() in (Path(folder) / name).read_bytes()
    ]
