"""One of two replicas drifts while documents arrive; the healthy one makes its summaries again.

The host is a process, PostgreSQL is real; the endpoint has two local model servers and a replica
monitor.
"""

from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from functions.settings import Settings
from tests.support import local
from tests.support.fleet import KEY, Fleet
from tests.support.inference_servers import hosting

HEALTHY, DRIFTING = "server-6c9f-a", "server-6c9f-b"
EACH = 20
"""Documents before the drift, and documents after it."""

TOWER = "The tower {number} was built of granite in 1841."


@pytest.fixture
def fleet() -> Fleet:
    """Two healthy replicas."""
    return Fleet(HEALTHY, DRIFTING)


@pytest.fixture
def application(
    tmp_path_factory: pytest.TempPathFactory, postgres: local.Server, fleet: Fleet
) -> Iterator[local.Application]:
    """The application, with a canary in every sweep."""
    with hosting(fleet) as port:
        url = f"http://127.0.0.1:{port}"
        endpoint = local.endpoint(
            name="cluster",
            inference_mode="cluster",
            url=f"{url}/v1",
            model=local.EXTRACTIVE,
            replicas_url=f"{url}/replicas",
        )
        inference = local.variables_of(endpoint, keys={"cluster": KEY})
        sweeps = {"INFERENCE_MODE": "cluster", "CANARY_INTERVAL_SECONDS": "0.1"}
        folder = tmp_path_factory.mktemp("drift")
        with local.application(folder, postgres.database(), {**inference, **sweeps}) as running:
            yield running


def test_summaries_of_a_corrupt_replica_are_replaced_and_none_is_lost(
    application: local.Application, fleet: Fleet
) -> None:
    settings = Settings.read(application.environment)
    incoming = application.folder / "documents" / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)

    def arrive(first: int) -> None:
        for number in range(first, first + EACH):
            (incoming / f"{number}.txt").write_text(TOWER.format(number=number))

    with psycopg.connect(settings.database_conninfo, autocommit=True) as database:

        def done() -> Counter[str]:
            """Valid summaries by replica."""
            rows = database.execute(
                """select replicas[1], count(*) from documents join answers
                    on document = id and answers.epoch = documents.epoch
                where status = 'done' and withdrawn_at is null and cardinality(replicas) = 1
                group by 1"""
            )
            return Counter(dict(rows.fetchall()))

        def summaries() -> dict[str, str]:
            rows = database.execute(
                "select object_key, summary from documents where summary is not null"
            )
            return dict(rows.fetchall())

        def complete(count: int) -> Counter[str] | None:
            found = done()
            return found if found.total() == count else None

        arrive(0)
        before = local.until(lambda: complete(EACH))
        fleet.frozen = fleet.replicas[DRIFTING].corrupt = True
        arrive(EACH)
        expected = {
            f"incoming/{number}.txt": TOWER.format(number=number) for number in range(2 * EACH)
        }
        corrupt = local.until(lambda: summaries().items() - expected.items() or None)
        fleet.frozen = False
        # A summary that was in progress is withdrawn by the next sweep.
        after = local.until(
            lambda: complete(2 * EACH) if summaries() == expected else None, seconds=60
        )

        assert {key for key, _ in corrupt} <= set(expected)
        assert set(before) == {HEALTHY, DRIFTING}
        assert after[HEALTHY] >= EACH + before[HEALTHY]
        withdrawn = database.execute(
            "select replicas, withdrawn_because from answers where withdrawn_at is not null"
        ).fetchall()
        assert withdrawn
        assert {(tuple(names), why) for names, why in withdrawn} == {
            ((DRIFTING,), "corrupt_replica")
        }

    with application.client() as client:
        metrics = client.get("/metrics").text
        shown = client.get("/api/documents").json()["documents"]
    assert 'seamless_endpoint_up{endpoint="cluster"} 1\n' in metrics
    assert f'seamless_replica_up{{endpoint="cluster",replica="{HEALTHY}"}} 1\n' in metrics
    assert f'seamless_replica_up{{endpoint="cluster",replica="{DRIFTING}"}} 0\n' in metrics
    assert Counter(name for document in shown for name in document["replicas"]) == after
