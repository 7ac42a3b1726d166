"""The check of a bucket's name finds a taken name before a deployment.

The S3 API is moto's, or a server that answers with one status.
"""

import boto3  # type: ignore[import-untyped]
import pytest

from preflight.checks import Finding, bucket_name
from tests.support.inference_servers import answering
from tests.support.preflight_context import context

BUCKETS = {
    "split": ("aws:s3/bucket:Bucket", "bucket"),
    "integrated": ("digitalocean:index/spacesBucket:SpacesBucket", "name"),
}


def test_the_name_of_an_existing_bucket_is_an_error(s3: str) -> None:
    boto3.client(
        "s3",
        endpoint_url=s3,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    ).create_bucket(Bucket="taken-documents")
    stack = context("split")

    assert bucket_name(stack, s3, "free-documents") == Finding(
        name="bucket_name", ok=True, found="free-documents is free"
    )
    assert bucket_name(stack, s3, "taken-documents") == Finding(
        name="bucket_name",
        ok=False,
        found="Config bucket_name is 'taken-documents', but a bucket with this name exists, "
        "and a name is unique",
        remedy="Set another name, or let Pulumi generate one: "
        'pulumi config set bucket_name "" --stack split',
    )


@pytest.mark.parametrize(("status", "ok"), [(200, False), (301, False), (403, False), (503, None)])
def test_the_status_of_the_response_decides_whether_a_name_is_free(
    status: int, ok: bool | None
) -> None:
    with answering(lambda *_: (status, "")) as url:
        assert bucket_name(context("split"), url, "documents").ok is ok


def test_the_result_is_unknown_without_a_connection() -> None:
    assert bucket_name(context("split"), "http://127.0.0.1:9", "documents") == Finding(
        name="bucket_name",
        ok=None,
        found="unknown whether documents is free: http://127.0.0.1:9 did not answer (ConnectError)",
    )


@pytest.mark.parametrize("stack", BUCKETS)
def test_only_a_new_name_of_the_config_is_checked(stack: str) -> None:
    type_, key = BUCKETS[stack]
    config = {"bucket_name": "documents"}

    def checked(config: dict[str, str], deployed: str = "") -> list[tuple[str, str]]:
        existing = {"store-bucket": {key: deployed}} if deployed else {}
        return context(stack, config, existing=existing).named(type_, key)

    assert checked({}) == []  # Pulumi generates a name
    assert checked(config) == [("store-bucket", "documents")]
    assert checked(config, "documents") == []
    assert checked(config, "older") == [("store-bucket", "documents")]
