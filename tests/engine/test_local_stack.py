"""The local stack on a real Pulumi engine, from the first `up` to `down`.

The tests run in order, on one copy of the project with its own state.
"""

import json
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import httpx
import psutil
import pytest

from functions.api.schema import Document
from tests.support.engine import clone as clones
from tests.support.engine.clone import Clone
from tests.support.local import model_server, runs, until
from tools.deploy.client import Client, ClientError
from tools.workspace import project_name

CLIENTS = 16

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A copy of the project, whose processes end with the tests."""
    with clones.clone(tmp_path_factory.mktemp("clone"), "local") as copy:
        yield copy


@pytest.fixture(scope="module")
def first_up(clone: Clone) -> str:
    """The output of the first `up`."""
    return clone.run("up")


def test_the_first_up_creates_everything_and_summarizes_the_samples(
    clone: Clone, first_up: str
) -> None:
    samples = {path.name for path in (clone.root / "samples").iterdir()}

    assert "13 created" in first_up
    documents = clone.documents()
    assert {document["name"] for document in documents} == samples
    for document in documents:
        assert document["status"] == "done", document
        assert document["model"] == "extractive"
        assert document["summary"]
        assert document["name"] in first_up


def test_no_secret_is_in_output_state_command_lines_or_logs(clone: Clone, first_up: str) -> None:
    token = clone.outputs()["api_token"]
    secrets = {token}
    for process in clone.processes():
        environment = process.environ()
        for name in ("DATABASE_PASSWORD", "MODEL_SERVER_API_KEY"):
            secrets |= {environment[name]} if name in environment else set()
        secrets |= set(json.loads(environment.get("INFERENCE_API_KEYS", "{}")).values())
        assert not any(token in part for part in process.cmdline())
    assert len(secrets) == 3

    readable = [
        path
        for path in (clone.root / ".seamless").rglob("*")
        if path.is_file() and "postgres" not in path.relative_to(clone.data.parent.parent).parts
    ]
    for secret in secrets:
        assert secret not in first_up
        holding = [path for path in readable if secret.encode() in path.read_bytes()]
        # The file that signs a browser in has mode 600.
        assert [path.name for path in holding if path.stat().st_mode & 0o077] == []
        assert {path.name for path in holding} <= {"open-local.html"}
    for resource in clone.resources().values():
        provider = resource.get("inputs", {}).get("__provider", "")
        assert len(provider) < 400


def test_a_second_up_changes_nothing(clone: Clone, first_up: str) -> None:
    assert first_up
    before = {process.pid for process in clone.processes()}

    printed = clone.run("up")

    assert "13 unchanged" in printed
    assert "created" not in printed
    assert "updated" not in printed
    assert {process.pid for process in clone.processes()} == before


def test_summarize_prints_json_for_scripts(clone: Clone, first_up: str) -> None:
    assert first_up
    files = [str(clone.root / "README.md"), str(clone.root / "LICENSE")]

    answers = json.loads(clone.run("summarize", "--json", *files))

    assert [answer["name"] for answer in answers] == ["README.md", "LICENSE"]
    assert [answer["status"] for answer in answers] == ["done", "done"]
    assert all(answer["summary"] for answer in answers)


def test_a_change_of_the_mode_replaces_neither_store_nor_database_nor_functions(
    clone: Clone, first_up: str
) -> None:
    """The new model server is created first, and the old one is deleted last."""
    assert first_up
    before, after = "serverless", "dedicated"
    old, documents, url = clone.resources(), clone.documents(), clone.outputs()["page_url"]
    clone.run("pulumi", "config", "set", "inference_mode", after)

    printed = clone.run("up")

    assert "3 created, 3 deleted, 9 unchanged, 1 updated" in printed
    assert printed.index(f"+ {after}-server") < printed.index("~ functions-host")
    assert printed.index("~ functions-host") < printed.index(f"- {before}")
    new = clone.resources()
    assert new.keys() - old.keys() == {after, f"{after}-key", f"{after}-server"}
    assert old.keys() - new.keys() == {before, f"{before}-key", f"{before}-server"}
    kept = {"store-folder", "database-server", "functions-host", "functions-token"}
    assert {name: new[name]["id"] for name in kept} == {name: old[name]["id"] for name in kept}
    for name in ("store-folder", "database-server"):
        assert new[name]["created"] == old[name]["created"]
        assert new[name]["outputs"].get("pid") == old[name]["outputs"].get("pid")
    assert clone.health()["inference_mode"] == after
    assert clone.outputs()["page_url"] == url
    assert clone.documents() == documents
    (answer,) = json.loads(clone.run("summarize", "--json", str(clone.root / "CHANGELOG.md")))
    assert (answer["status"], answer["inference_mode"]) == ("done", after)


def test_another_endpoint_replaces_the_local_model_server(
    clone: Clone, first_up: str, tmp_path: Path
) -> None:
    """An unknown cost is shown as unknown."""
    assert first_up
    before = clone.config.read_text()
    with model_server(tmp_path, "elsewhere") as endpoint:
        (known,) = json.loads(endpoint["INFERENCE_ENDPOINTS"])
        (key,) = json.loads(endpoint["INFERENCE_API_KEYS"]).values()
        url = known["url"]
        clone.configure("inference_url", url)
        clone.configure("inference_model", known["model"])
        clone.configure("inference_api_key", key, secret=True)

        clone.run("up")
        printed = clone.run("summarize", str(clone.root / "CONTRIBUTING.md"))
        outputs, resources = clone.outputs(), clone.resources()
        clone.config.write_text(before)
        clone.run("up")

    assert outputs["inference_url"] == url
    assert not any("model_server" in name or name.startswith("dedicated") for name in resources)
    assert "cost unknown" in printed
    assert clone.outputs()["inference_url"] != url


def test_a_dead_process_is_drift_and_the_next_up_starts_it_again(
    clone: Clone, first_up: str
) -> None:
    """The ports stay the same, so that nothing else changes."""
    assert first_up
    assert "13 unchanged" in clone.run("preview", "--drift")
    url = clone.outputs()["page_url"]
    dead = {name: clone.pid(name) for name in ("functions-host", "dedicated-server", "postgres")}
    for pid in dead.values():
        psutil.Process(pid).kill()
    until(lambda: None if any(runs(pid) for pid in dead.values()) else True)

    drifted = clone.run("preview", "--drift", expect=1)
    clone.run("up")

    assert "Stack local has drifted: 10 unchanged, 3 to update." in drifted
    for name in ("functions-host", "dedicated-server", "database-server"):
        assert name in drifted
    for name, pid in dead.items():
        assert clone.pid(name) != pid
        assert runs(clone.pid(name))
    assert clone.outputs()["page_url"] == url
    assert clone.health()["database"] == "ok"
    assert "13 unchanged" in clone.run("preview")


def test_a_plain_pulumi_up_works_on_the_same_stack(clone: Clone, first_up: str) -> None:
    assert first_up
    assert "13 unchanged" in clone.run("pulumi", "up", "--yes", "--stack", "local")


def test_an_invalid_value_is_an_error_with_the_command_that_corrects_it(
    clone: Clone, first_up: str
) -> None:
    assert first_up
    clone.configure("inference_mode", "cluster")

    printed = clone.run("up", expect=1)
    clone.configure("inference_mode", "dedicated")

    assert "pulumi config set inference_mode serverless" in " ".join(printed.split())
    assert "Traceback" not in printed
    assert "13 unchanged" in clone.run("preview")


def test_a_port_in_use_is_an_error_and_the_next_up_restarts_the_application(
    clone: Clone, first_up: str
) -> None:
    assert first_up
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        clone.configure("page_port", port)
        printed = " ".join(clone.run("up", expect=1).split())
    clone.configure("page_port", None)

    clone.run("up")

    assert f"Port {port} of 127.0.0.1 is in use" in printed
    assert "Traceback" not in printed
    assert clone.health()["status"] == "ok"


def test_data_is_not_moved_or_deleted_without_a_confirmation(clone: Clone, first_up: str) -> None:
    assert first_up
    documents = clone.documents()
    clone.configure("data_folder", "elsewhere")

    moved = " ".join(clone.run("up", expect=1).split())
    clone.configure("data_folder", None)
    destroyed = " ".join(clone.run("down", expect=1).split())

    assert "deletes or replaces database-server, store-folder" in moved
    assert "./seamless up local --yes" in moved
    assert "./seamless down local --yes" in destroyed
    assert clone.documents() == documents


def test_in_prod_down_fails_although_it_is_confirmed(clone: Clone, first_up: str) -> None:
    assert first_up
    documents = clone.documents()
    clone.configure("environment", "prod")
    clone.run("up")

    printed = " ".join(clone.run("down", "--yes", expect=1).split())

    protecting = [r["urn"] for r in clone.state() if r.get("protect")]
    clone.configure("protect", False)
    clone.run("up")
    assert "pulumi config set protect false --stack local && ./seamless up local" in printed
    assert clone.documents() == documents
    assert len(protecting) == 2
    assert [r["urn"] for r in clone.state() if r.get("protect")] == []
    for key in ("environment", "protect"):
        clone.configure(key, None)


def test_a_locked_stack_is_an_error_with_the_command_that_unlocks_it(
    clone: Clone, first_up: str
) -> None:
    """The lock of a killed command stays."""
    assert first_up
    locks = clone.root / ".seamless" / "state" / ".pulumi" / "locks"
    lock = locks / "organization" / project_name() / "local" / "00000000.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text('{"pid": 1, "username": "u", "hostname": "h"}')

    printed = " ".join(clone.run("up", expect=1).split())
    clone.run("pulumi", "cancel", "--yes", "--stack", "local")

    assert "./seamless pulumi cancel --yes --stack local" in printed
    assert "13 unchanged" in clone.run("up")


def test_a_change_of_the_mode_loses_no_document(
    clone: Clone, first_up: str, tmp_path: Path, say: Callable[[str], None]
) -> None:
    """Sixteen clients upload documents while the mode changes back."""
    assert first_up
    clone.configure("inference_mode", "serverless")
    outputs = clone.outputs()

    with (
        Client(outputs["page_url"], outputs["api_token"]) as client,
        ThreadPoolExecutor(1) as operator,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        uploads = [clients.submit(_summarized, client, tmp_path / "before.txt")]
        uploads[0].result()
        moved = operator.submit(clone.run, "up")
        waiting: set[Future[Document]] = set()
        while not moved.done():
            file = tmp_path / f"{len(uploads)}.txt"
            uploads.append(clients.submit(_summarized, client, file))
            waiting.add(uploads[-1])
            if len(waiting) >= CLIENTS:
                waiting = wait(waiting, return_when=FIRST_COMPLETED).not_done
        uploads.append(clients.submit(_summarized, client, tmp_path / "after.txt"))
        summaries = [document.result() for document in uploads]

    assert "~ functions-host" in moved.result()
    assert {document.status for document in summaries} == {"done"}
    by_inference_mode = Counter(document.inference_mode for document in summaries)
    assert by_inference_mode.keys() == {"serverless", "dedicated"}
    with httpx.Client(headers={"Authorization": f"Bearer {outputs['api_token']}"}) as caller:
        metrics = caller.get(f"{outputs['page_url']}metrics").text
    assert "seamless_documents_unfinished 0\n" in metrics
    assert 'seamless_documents{status="failed"}' not in metrics
    say(f"Documents uploaded during a mode change, by mode: {dict(by_inference_mode)}")


def _summarized(client: Client, file: Path) -> Document:
    """Upload a document and wait for its summary, with retries during the restart."""
    file.write_text(f"The tower {file.stem} was built of granite. It has {file.stem} steps.")

    def patiently(call: Callable[[], Document | None]) -> Document:
        def tried() -> Document | None:
            try:
                return call()
            except ClientError:
                return None

        return until(tried, seconds=300)

    def ended() -> Document | None:
        found = client.get(sent.id)
        return found if found.status in ("done", "failed") else None

    sent = patiently(lambda: client.send(file))
    return patiently(ended)


def test_down_leaves_no_process_no_port_and_no_file(clone: Clone, first_up: str) -> None:
    assert first_up
    url = clone.outputs()["page_url"]

    printed = clone.run("down", "--yes")

    assert "13 deleted" in printed
    assert "passphrase" in printed
    assert clone.processes() == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    assert not clone.data.exists()
    left = {p.name for p in (clone.root / ".seamless").rglob("*") if p.is_file()}
    assert not any(name.startswith(("open-", "local.json")) for name in left)
    assert "passphrase" in left
    assert "nothing to destroy" in clone.run("down", "--yes")
