"""The check of an endpoint's list of models finds an invalid key and an unknown model."""

import json

import pytest
from msgspec.structs import replace

from catalog.providers import PROVIDERS
from preflight import model_list
from preflight.checks import Finding
from preflight.model_list import check
from tests.support.inference_servers import answering, serving
from tests.support.preflight_context import KEY, context
from tools.workspace import project_name

MODELS = [f"acme/model-{size}b" for size in (7, 20, 70, 120, 235, 480)]


def found(url: str, model: str = MODELS[0], key: str = KEY, **overrides: str) -> list[Finding]:
    return list(
        check(
            context(
                "split",
                {"inference_url": url, "inference_model": model, **overrides},
                config={f"{project_name()}:inference_api_key": key} if key else {},
            )
        )
    )


def test_a_valid_key_and_a_listed_model_are_accepted() -> None:
    with serving(MODELS, KEY) as url:
        findings = found(url)

    assert findings == [
        Finding(name="inference_api_key", ok=True, found=f"{url} accepts it"),
        Finding(name="inference_model", ok=True, found=f"{url} has acme/model-7b"),
    ]


def test_the_error_for_an_unknown_model_has_the_five_closest_names() -> None:
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


def test_an_unlisted_model_with_a_listed_successor_stops_no_deployment() -> None:
    """The successor already takes over at run time, and `up` may have another purpose."""
    with serving(MODELS, KEY) as url:
        (_, finding) = found(url, "retired-model", inference_successor=MODELS[0])
        (_, without) = found(url, "retired-model", inference_successor="retired-too")

    assert finding == Finding(
        name="inference_model",
        ok=None,
        found=f"{url} does not list retired-model; its successor {MODELS[0]} is listed and takes "
        "over",
        remedy=f"pulumi config set inference_model {MODELS[0]} --stack split",
    )
    assert without.ok is False


def test_the_catalogue_names_a_successor_where_the_config_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(MODELS, KEY) as url:
        row = replace(PROVIDERS["baseten"], base_url=url, model="gone", successor_model=MODELS[1])
        monkeypatch.setattr(
            model_list, "PROVIDERS", {"another": PROVIDERS["fireworks"], "baseten": row}
        )
        (_, finding) = found(url, "gone")

    assert finding.ok is None
    assert finding.remedy == f"pulumi config set inference_model {MODELS[1]} --stack split"


def test_an_unlisted_dedicated_deployment_is_unknown() -> None:
    with serving(MODELS, KEY) as url:
        (_, finding) = found(url, "accounts/me/deployments/mine", inference_mode="dedicated")

    assert finding.ok is None
    assert finding.found.startswith("unknown whether accounts/me/deployments/mine works: ")


def test_an_invalid_key_is_an_error_without_its_value() -> None:
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


def test_a_missing_key_is_an_error_before_any_request() -> None:
    assert found("http://127.0.0.1:9/v1", key="") == [
        Finding(
            name="inference_api_key",
            ok=False,
            found="Config inference_api_key is not set, but http://127.0.0.1:9/v1 needs a key",
            remedy="pulumi config set --secret inference_api_key --stack split",
        )
    ]


def test_a_key_with_a_line_break_is_an_error_without_its_value() -> None:
    (finding,) = found("http://127.0.0.1:9/v1", key=f"{KEY}\n{KEY}")

    assert finding.ok is False
    assert finding.found == (
        "Config inference_api_key is not valid, but it must be visible ASCII characters only, "
        "without spaces or line ends"
    )


def test_the_model_is_unknown_without_a_connection() -> None:
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
def test_the_model_is_unknown_without_a_list_of_models(status: int, body: str) -> None:
    with answering(lambda *_: (status, body)) as url:
        findings = found(f"{url}/v1")

    message = f"{url}/v1/models answered {status} without a list of models"
    assert findings == [
        Finding(name="inference_model", ok=None, found=f"unknown whether it works: {message}")
    ]


@pytest.mark.parametrize(
    "models", [{"data": [{"id": "one:latest"}]}, [{"id": "one"}]], ids=["tag", "bare list"]
)
def test_a_list_with_tags_or_without_an_envelope_is_accepted(models: object) -> None:
    with answering(lambda *_: (200, json.dumps(models))) as url:
        findings = found(f"{url}/v1", "one")

    assert [finding.ok for finding in findings] == [True, True]


def test_the_repr_of_a_context_has_no_secrets() -> None:
    assert KEY not in repr(context("split"))
