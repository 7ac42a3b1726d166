"""The policy pack on a real Pulumi engine refuses a resource before it is made.

Each test works on a copy of the project with a plausible fault.
"""

from pathlib import Path

import pytest

from tests.support.clouds import launch
from tests.support.clouds.world import World
from tests.support.engine.clone import Clone, clone

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

KEY = "fw_3ZkQ8vR2mN7xL4pT9sYcW1"


def _spoil(copy: Clone, file: str, right: str, wrong: str) -> None:
    """Make a mistake in one place of the copy."""
    path = copy.root / file
    text = path.read_text()
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))


def _words(printed: str) -> str:
    return " ".join(printed.split())


def test_an_unprotected_database_is_advised_against_in_dev_and_refused_in_prod(
    tmp_path: Path,
) -> None:
    """By the policy's id and with its remedy."""
    with clone(tmp_path, "local") as copy:
        _spoil(copy, "components/local/database.py", "protect=protect)", "protect=False)")

        in_dev = _words(copy.run("preview"))
        copy.configure("environment", "prod")
        in_prod = _words(copy.run("up", expect=1))
        made = copy.resources()
    assert "advisory X-01 high: database-server: It holds data" in in_dev
    assert "advisory X-01 high: store-folder: It holds data" in in_dev
    assert "Refused by policy: X-01 high: database-server: It holds data" in in_prod
    assert "remedy: Create the resource with pulumi.ResourceOptions(protect=True)" in in_prod
    assert "store-folder: It holds data" not in in_prod
    assert "Traceback" not in in_prod
    assert "database-server" not in made


def test_a_key_in_plain_text_is_refused_and_not_printed(tmp_path: Path) -> None:
    """The message names the property."""
    with clone(tmp_path, "local") as copy:
        _spoil(
            copy,
            "components/local/inference.py",
            '"MODEL_SERVER_API_KEY": self.api_key',
            f'"MODEL_SERVER_API_KEY": "{KEY}"',
        )

        printed = copy.run("preview", expect=1)

    assert (
        "X-02 critical: serverless-server: environment.MODEL_SERVER_API_KEY looks like a "
        "Fireworks key "
        "and is not marked as secret."
    ) in _words(printed)
    assert KEY not in printed


def test_a_split_stack_with_three_faults_is_refused_by_plan_and_up(tmp_path: Path) -> None:
    """A bucket that can be made public, an open database, a key in a variable; nothing is made."""
    world = World(folder=tmp_path / "clouds", cloud="aws")
    environment = launch.environment(world.folder) | {"COLUMNS": "250"}
    with clone(tmp_path / "clone", "split", environment) as copy:
        _spoil(
            copy,
            "components/aws/object_store.py",
            "block_public_policy=True",
            "block_public_policy=False",
        )
        _spoil(
            copy,
            "components/aws/database.py",
            "publicly_accessible=False",
            "publicly_accessible=True",
        )
        _spoil(
            copy,
            "components/aws/functions.py",
            "variables=dict(variables)",
            f'variables={{**variables, "INFERENCE_API_KEY": "{KEY}"}}',
        )
        copy.configure("inference_api_key", "configured-key", secret=True)

        planned = copy.run("plan", "split")
        deployed = copy.run("up", "split", "--yes", expect=1)

        made = world.resources()
    for printed in (planned, deployed):
        for rule, resource, remedy in (
            ("AWS-S3-01", "store-bucket", "Give the bucket a BucketPublicAccessBlock"),
            ("AWS-RDS-01", "database-instance", "Set publiclyAccessible to false"),
            ("AWS-LAM-06", "functions-api", "Keep the value in Secrets Manager"),
        ):
            assert f"{rule} critical: {resource}: " in _words(printed)
            assert f"remedy: {remedy}" in _words(printed)
        assert KEY not in printed
    assert made == {}
