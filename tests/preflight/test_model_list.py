"""The check of an endpoint's list of models finds a wrong key and a wrong model.

The endpoint is a server on this machine with OpenAI's list.
"""

import json

import pytest

from preflight.checks import Finding
from preflight.model_list import check
from tests.support.inference_servers import answering, serving
from tests.support.preflight_context import KEY, context
from tools.workspace import project_name

MODELS = [f"acme/model-{size}b" for size in (7, 20, 70, 120, 235, 480)]


def found(url: str, model: str = MODELS[0], key: str = KEY, **overrides: str) -> list[Finding]:
    """Findings for the split stack."""
    return list(
        check(
            context(
                "split",
                {"inference_url": url, "inference_model": model, **overrides},
                config={f"{project_name()}:inference_api_key": key} if key else {},
            )
        )
    )


def test_a_key_that_is_taken_and_a_model_that_is_there_are_fine() -> None:
    with serving(MODELS, KEY) as url:
        findings = found(url)

    assert findings == [
        Finding(name="inference_api_key", ok=True, found=f"{url} accepts it"),
        Finding(name="inference_model", ok=True, found=f"{url} has acme/model-7b"),
    ]


def test_a_model_that_the_provider_lacks_is_named_with_the_five_closest() -> None:
    with serving(MODELS, KEY) as url:
        (_, finding) = found(url, "acme/model-72b")

    closest = "acme/model-7b, acme/model-20b, acme/model-70b, acme/model-120b, acme/model-235b"
    listed = finding.found.rsplit("are ", 1)[1]
    assert sorted(listed.split(", ")) == sorted(closest.split(", "))
    assert finding == Finding(
        name="inference_model",
        ok=False,
        found=f"Config inference_model is 'acme/model-72b', but {url} does not list it; the "
        f"closest of its 6 are {listed}",
        remedy=f"pulumi config set inference_model {listed.split(', ')[0]} --stack split",
    )


def test_a_model_that_one_account_has_for_itself_need_not_be_listed() -> None:
    """A dedicated deployment has its own name."""
    with serving(MODELS, KEY) as url:
        (_, finding) = found(url, "accounts/me/deployments/mine", inference_mode="dedicated")

    assert finding.ok is None
    assert finding.found.startswith("unknown whether accounts/me/deployments/mine works: ")


def test_a_tag_that_a_server_adds_by_itself_is_no_difference() -> None:
    with serving(["llama3.2:latest"], KEY) as url:
        (_, finding) = found(url, "llama3.2")

    assert finding.ok is True


def test_a_key_that_is_refused_is_an_error_without_the_key() -> None:
    with serving(MODELS, "another") as url:
        findings = found(url)

    assert findings == [
        Finding(
            name="inference_api_key",
            ok=False,
            found=f"Config inference_api_key is [secret], but {url} refuses it (401): it is wrong, "
            "expired, or of another provider",
            remedy="pulumi config set --secret inference_api_key --stack split",
        )
    ]
    assert KEY not in str(findings)


def test_a_key_that_is_missing_is_an_error_before_anybody_is_asked() -> None:
    assert found("http://127.0.0.1:9/v1", key="") == [
        Finding(
            name="inference_api_key",
            ok=False,
            found="Config inference_api_key is not set, but http://127.0.0.1:9/v1 needs a key",
            remedy="pulumi config set --secret inference_api_key --stack split",
        )
    ]


def test_a_key_that_was_pasted_with_its_line_s_end_is_an_error_without_the_key() -> None:
    (finding,) = found("http://127.0.0.1:9/v1", key=f"{KEY}\n")

    assert finding.ok is False
    assert finding.found == (
        "Config inference_api_key has a character that is not allowed in an HTTP header, such as a "
        "line break"
    )


def test_an_endpoint_that_does_not_answer_is_unknown() -> None:
    assert found("http://127.0.0.1:9/v1") == [
        Finding(
            name="inference_model",
            ok=None,
            found="unknown whether it works: http://127.0.0.1:9/v1 did not answer (ConnectError)",
        )
    ]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, "{}"),
        (403, "{}"),
        (500, "no JSON"),
        (200, "<html>"),
        (200, json.dumps({"data": []})),
        (200, json.dumps({"data": [{"id": "one"}], "has_more": True})),
    ],
)
def test_an_endpoint_without_a_list_of_models_is_unknown(status: int, body: str) -> None:
    with answering(lambda *_: (status, body)) as url:
        findings = found(f"{url}/v1")

    said = f"{url}/v1/models answered {status} without a list of models"
    assert findings == [
        Finding(name="inference_model", ok=None, found=f"unknown whether it works: {said}")
    ]


def test_a_bare_list_is_a_list_too() -> None:
    with answering(lambda *_: (200, json.dumps([{"id": "one"}]))) as url:
        findings = found(f"{url}/v1", "one")

    assert [finding.ok for finding in findings] == [True, True]


def test_an_intent_does_not_show_its_secrets() -> None:
    assert KEY not in repr(context("split"))
