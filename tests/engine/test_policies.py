"""The policy pack on a real Pulumi engine rejects a resource before its creation.

Each test has a copy of the project with a fault.
"""

from pathlib import Path

import pytest

from tests.support.clouds import launch
from tests.support.clouds.world import World
from tests.support.engine.clone import Clone, clone

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

KEY = "fw_3ZkQ8vR2mN7xL4pT9sYcW1"


def _edit(copy: Clone, file: str, right: str, wrong: str) -> None:
    """Replace a text that occurs once."""
    path = copy.root / file
    text = path.read_text()
    assert text.count(right) == 1
    path.write_text(text.replace(right, wrong))


def _words(printed: str) -> str:
    return " ".join(printed.split())


def test_an_unprotected_database_is_an_advice_in_dev_and_an_error_in_prod(tmp_path: Path) -> None:
    with clone(tmp_path, "local") as copy:
        _edit(copy, "components/local/database.py", "protect=protect)", "protect=False)")

        in_dev = _words(copy.run("preview"))
        copy.configure("environment", "prod")
        in_prod = _words(copy.run("up", expect=1))
        resources = copy.resources()
    assert "advisory X-01 high: database-server: It holds data" in in_dev
    assert "advisory X-01 high: store-folder: It holds data" in in_dev
    assert "Refused by policy: X-01 high: database-server: It holds data" in in_prod
    assert "remedy: Create the resource with pulumi.ResourceOptions(protect=True)" in in_prod
    assert "store-folder: It holds data" not in in_prod
    assert "Traceback" not in in_prod
    assert "database-server" not in resources


def test_a_key_in_plain_text_is_an_error_and_not_printed(tmp_path: Path) -> None:
    with clone(tmp_path, "local") as copy:
        _edit(
            copy,
            "components/local/inference.py",
            '"MODEL_SERVER_API_KEY": self.api_key',
            f'"MODEL_SERVER_API_KEY": "{KEY}"',
        )

        printed = copy.run("preview", expect=1)

    assert (
        "X-02 critical: serverless-server: environment.MODEL_SERVER_API_KEY looks like a "
        "Fireworks key and is not marked as secret."
    ) in _words(printed)
    assert KEY not in printed


def test_plan_and_up_reject_a_split_stack_with_three_faults(tmp_path: Path) -> None:
    """A public bucket, an open database, a key in a variable."""
    world = World(folder=tmp_path / "clouds", cloud="aws")
    environment = launch.environment(world.folder) | {"COLUMNS": "250"}
    with clone(tmp_path / "clone", "split", environment) as copy:
        for file, right, wrong in (
            ("object_store", "block_public_policy=True", "block_public_policy=False"),
            ("database", "publicly_accessible=False", "publicly_accessible=True"),
            (
                "functions",
                "variables=dict(variables)",
                f'variables={{**variables, "INFERENCE_API_KEY": "{KEY}"}}',
            ),
        ):
            _edit(copy, f"components/aws/{file}.py", right, wrong)
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
