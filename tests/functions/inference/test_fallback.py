"""A dedicated endpoint dies while it works on documents; the fallback endpoint summarizes them.

The host and both local model servers are processes; PostgreSQL is real.
"""

import json
import os
import secrets
import signal
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from msgspec.structs import replace

from components.local.server import Program
from functions.inference.endpoint import read_endpoints
from functions.settings import Settings
from tests.support import local

DOCUMENTS = 100
BEFORE = 8
"""Documents that are done when the dedicated endpoint is killed."""


@pytest.fixture
def dedicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, str, str]]:
    """A local model server with a delay of a second, its URL and its key."""
    key = secrets.token_urlsafe(12)
    program = Program(
        name="dedicated",
        module="components.local.model_server",
        folder=tmp_path_factory.mktemp("dedicated"),
        environment={"MODEL_SERVER_API_KEY": key, "MODEL_SERVER_DELAY_SECONDS": "1"},
    )
    port = program.start()
    try:
        yield program, f"http://127.0.0.1:{port}/v1", key
    finally:
        program.daemon.stop()


def test_no_document_is_lost_and_the_ledger_names_the_endpoint(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: local.Server,
    model_server: dict[str, str],
    dedicated: tuple[Program, str, str],
) -> None:
    program, url, key = dedicated
    (serverless,) = read_endpoints(model_server["INFERENCE_ENDPOINTS"])
    own = local.endpoint(
        name="dedicated", inference_mode="dedicated", url=url, model=local.EXTRACTIVE
    )
    inference = local.variables_of(
        own,
        replace(serverless, order=1000),
        keys={"dedicated": key, **json.loads(model_server["INFERENCE_API_KEYS"])},
    )
    folder = tmp_path_factory.mktemp("fallback")
    incoming = folder / "documents" / "incoming"
    incoming.mkdir(parents=True)
    for number in range(DOCUMENTS):
        (incoming / f"{number}.txt").write_text(f"The tower {number} was built of granite.")

    with local.application(
        folder, postgres.database(), {**inference, "INFERENCE_MODE": "dedicated"}
    ) as application:
        settings = Settings.read(application.environment)
        with psycopg.connect(settings.database_conninfo, autocommit=True) as database:

            def statuses() -> Counter[str]:
                rows = database.execute("select status, count(*) from documents group by status")
                return Counter(dict(rows.fetchall()))

            def at_least(count: int) -> Counter[str] | None:
                found = statuses()
                return found if found["done"] >= count else None

            before = local.until(lambda: at_least(BEFORE))
            pid = program.daemon.pid()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            local.until(lambda: at_least(DOCUMENTS), seconds=60)

            assert before["done"] + before["working"] + before["queued"] == DOCUMENTS
            assert before["working"] > 0
            assert statuses() == {"done": DOCUMENTS}
            rows = database.execute(
                """select endpoint, endpoints, inference_mode, count(*), sum(attempts), sum(calls)
                from documents join answers on document = id and answers.epoch = documents.epoch
                group by 1, 2, 3 order by 1"""
            ).fetchall()
        with application.client() as client:
            shown = client.get("/api/documents").json()["documents"]
            metrics = client.get("/metrics").text

    assert [row[:3] for row in rows] == [
        ("dedicated", ["dedicated"], "dedicated"),
        ("serverless", ["serverless"], "serverless"),
    ]
    by_dedicated, by_serverless = (row[3] for row in rows)
    assert BEFORE <= by_dedicated < DOCUMENTS
    assert by_dedicated + by_serverless == DOCUMENTS
    assert sum(attempts for *_, attempts, _ in rows) == DOCUMENTS
    # Calls to the dead endpoint: four in flight, those that open its breaker, and probes.
    assert DOCUMENTS < sum(calls for *_, calls in rows) <= DOCUMENTS + 20
    assert {(d["endpoint"], d["inference_mode"]) for d in shown} <= {
        ("dedicated", "dedicated"),
        ("serverless", "serverless"),
    }
    assert f'seamless_endpoint_documents{{endpoint="serverless"}} {by_serverless}\n' in metrics
    assert 'seamless_endpoint_up{endpoint="dedicated"} 1\n' in metrics
