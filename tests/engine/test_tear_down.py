"""docs/tear-down.md in prod: what it shows, typed at a simulated DigitalOcean that shrinks nothing.

DigitalOcean makes no database smaller, so the way of the other arrangements, `up` in dev and then
`down`, ends half-way there. That a real DigitalOcean refuses so is its documentation's word.
"""

import shlex

import pytest

from tests.documents import blocks
from tests.engine.clone import PROJECT
from tests.engine.test_clouds import INTEGRATED, Deployment, deployment  # noqa: F401  # a fixture

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

REFUSED = "the nodes of a database cluster cannot be made smaller"


def _shown() -> list[list[str]]:
    """The lines of the page for integrated, without `./seamless`."""
    found = [
        content.splitlines()
        for _, content in blocks(PROJECT / "docs" / "tear-down.md")
        if "--target" in content
    ]
    (lines,) = found
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.parametrize("deployment", [INTEGRATED], indirect=True, ids=["integrated"])
def test_the_way_out_of_prod_at_digitalocean_leaves_nothing(
    deployment: Deployment,  # noqa: F811
) -> None:
    """The bucket lets go of its documents, nobody asks for a smaller database, all is destroyed."""
    clone, world = deployment.clone, deployment.world
    clone.configure("environment", "prod")
    deployment.run("up")
    kept = clone.run("down", "integrated", "--yes", expect=1)
    world.fail("database-cluster", "update", REFUSED)
    to_dev, let_go, unprotect, down = _shown()

    clone.run(*to_dev)
    clone.run(*let_go)
    bucket = deployment.of("store-bucket")
    clone.run(*unprotect)
    clone.run(*down, "--yes")

    assert "protects database-cluster, database-database, store-bucket" in kept
    assert bucket["forceDestroy"] is True
    assert deployment.in_cloud() == set()
    assert deployment.api.namespaces == {}
    assert clone.state() == []
