"""The check of a bucket's name finds a taken name before a deployment.

The S3 API is moto's, or a server that answers with one status.
"""

import boto3  # type: ignore[import-untyped]
import pytest

from analysis.plan import make
from preflight.checks import Finding, bucket_name
from tests.support.inference_servers import answering
from tests.support.preflight_context import context

BUCKETS = {
    "split": ("aws:s3/bucket:Bucket", "bucket"),
    "integrated": ("digitalocean:index/spacesBucket:SpacesBucket", "name"),
}


def test_a_name_that_a_bucket_has_is_taken_and_another_is_free(s3: str) -> None:
    boto3.client(
        "s3",
        endpoint_url=s3,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
    ).create_bucket(Bucket="somebodys-documents")
    wanted = context("split")

    assert bucket_name(wanted, s3, "nobodys-documents") == Finding(
        name="bucket_name", ok=True, found="nobodys-documents is free"
    )
    assert bucket_name(wanted, s3, "somebodys-documents") == Finding(
        name="bucket_name",
        ok=False,
        found="Config bucket_name is 'somebodys-documents', but a bucket with this name exists, "
        "and a name is unique",
        remedy="Set another name, or let Pulumi generate one: "
        'pulumi config set bucket_name "" --stack split',
    )


@pytest.mark.parametrize(("status", "ok"), [(200, False), (301, False), (403, False), (503, None)])
def test_a_bucket_that_is_there_but_not_ours_is_taken_and_a_sick_api_is_unknown(
    status: int, ok: bool | None
) -> None:
    with answering(lambda *_: (status, "")) as url:
        assert bucket_name(context("split"), url, "documents").ok is ok


def test_an_api_that_does_not_answer_is_unknown() -> None:
    assert bucket_name(context("split"), "http://127.0.0.1:9", "documents") == Finding(
        name="bucket_name",
        ok=None,
        found="unknown whether documents is free: http://127.0.0.1:9 did not answer (ConnectError)",
    )


@pytest.mark.parametrize("stack", BUCKETS)
def test_a_bucket_without_a_chosen_name_gets_one_that_pulumi_makes_up(stack: str) -> None:
    """Its logical name with seven random digits, so no check is needed."""
    type_, key = BUCKETS[stack]
    (bucket,) = (r for r in make(stack).resources if r.type == type_)

    assert key not in bucket.inputs
    assert context(stack).named(type_, key) == []


@pytest.mark.parametrize("stack", BUCKETS)
def test_only_a_name_that_the_stack_does_not_have_yet_is_asked_for(stack: str) -> None:
    type_, key = BUCKETS[stack]

    fresh = context(stack, {"bucket_name": "documents"})
    again = context(
        stack, {"bucket_name": "documents"}, existing={"store-bucket": {key: "documents"}}
    )
    other = context(stack, {"bucket_name": "documents"}, existing={"store-bucket": {key: "older"}})

    assert fresh.named(type_, key) == [("store-bucket", "documents")]
    assert again.named(type_, key) == []
    assert other.named(type_, key) == [("store-bucket", "documents")]
