"""Plans, checks and comments warn of models that retire."""

import json
from datetime import date, timedelta

import pytest
from msgspec.structs import replace
from rich.console import Console

import catalog.providers
from analysis.plan import Plan, make
from analysis.render.markdown import Section, render
from analysis.render.terminal import tree
from catalog.providers import PROVIDERS, retiring
from stacks.config import PROVIDER
from tests.tools.test_preflight import Fake
from tools.deploy import preflight

END = date(2026, 11, 7)
"""Of gpt-oss-120b at Fireworks."""

FIREWORKS = {"inference_provider": "fireworks"}
MODEL = "accounts/fireworks/models/gpt-oss-120b"
SOURCE = (
    "litellm 1.110.2, read 2026-11-29, which names docs.fireworks.ai/api-reference/list-models.md"
)
REMEDY = (
    "pulumi config set inference_provider digitalocean --stack split && "
    "pulumi config set --secret inference_api_key --stack split"
)


def warned(days: int, stack: str = "split", **overrides: str) -> list[tuple[str, str]]:
    """Text and remedy of the warnings so many days before the end."""
    planned = make(stack, overrides, today=END - timedelta(days))
    return [(found.text, found.remedy) for found in planned.retirements]


@pytest.mark.parametrize(
    ("days", "verb"), [(31, ""), (30, "retires"), (1, "retires"), (0, "retired"), (-400, "retired")]
)
def test_the_warning_begins_thirty_days_before_the_end_and_stays(days: int, verb: str) -> None:
    expected = [(f"{MODEL} at fireworks {verb} on 2026-11-07 ({SOURCE})", REMEDY)] if verb else []

    assert warned(days, **FIREWORKS) == expected


@pytest.mark.parametrize("stack", ["integrated", "split", "local"])
def test_the_default_models_have_not_retired(stack: str) -> None:
    assert warned(-22, stack) == []


def test_a_deployment_of_ones_own_does_not_retire() -> None:
    own = {"inference_mode": "dedicated", "inference_model": f"{MODEL}#accounts/a/deployments/d"}

    assert warned(-22, **FIREWORKS, **own) == []


def test_additional_endpoints_and_the_fallback_are_checked() -> None:
    spare = {
        "name": "spare",
        "url": "https://api.fireworks.ai/inference/v1",
        "model": MODEL,
        "context_tokens": 8192,
    }
    endpoints = {"inference_endpoints": json.dumps([spare])}
    fallback = {"inference_mode": "cluster", "fallback": "serverless"}

    assert [remedy for _, remedy in warned(0, **endpoints)] == [
        "pulumi config set --path 'inference_endpoints[0].model' MODEL --stack split"
    ]
    assert [remedy for _, remedy in warned(0, **fallback, **FIREWORKS)] == [REMEDY]


def test_an_endpoint_by_url_is_told_by_its_url_and_model() -> None:
    url = {"inference_url": "https://api.fireworks.ai/inference/v1"}

    assert warned(0, **url, inference_model="another") == []
    ((_, remedy),) = warned(0, **url, inference_model=MODEL)
    assert remedy == "pulumi config set inference_model MODEL --stack split"


def test_a_successor_is_named_and_set(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(PROVIDERS["fireworks"], successor_model="newer/model")
    monkeypatch.setattr(catalog.providers, "PROVIDERS", {"fireworks": row})

    ((text, remedy),) = warned(0, **FIREWORKS)

    assert f"retired on 2026-11-07; its successor is newer/model ({SOURCE})" in text
    assert remedy == "pulumi config set inference_model newer/model --stack split"


def test_the_region_of_a_url_does_not_matter() -> None:
    row = PROVIDERS["bedrock"]

    assert row.serves("https://bedrock-mantle.eu-west-1.api.aws/v1", row.model)
    assert not row.serves("https://bedrock-mantle.evil.example/eu.api.aws/v1", row.model)
    assert retiring("https://api.fireworks.ai/inference/v1", MODEL, today=END) is not None


def planned() -> Plan:
    return make("split", FIREWORKS, today=END)


def test_the_terminal_and_the_comment_show_the_warning() -> None:
    with (console := Console(width=400)).capture() as printed:
        console.print(tree(planned()))
    comment = render([Section(plan=planned())])

    assert f"model: {MODEL} at fireworks retired on 2026-11-07" in printed.get()
    assert f"remedy: {REMEDY}" in printed.get()
    assert f"**Model: {MODEL} at fireworks retired on 2026-11-07 ({SOURCE}).**" in comment
    assert f"Choose another one: `{REMEDY}`" in comment


def test_preview_and_doctor_show_the_warning_and_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROVIDER, "split", "fireworks")
    for module in ("aws", "model_list"):
        monkeypatch.setattr(f"preflight.{module}.check", lambda _: [])

    (finding,) = preflight.look(Fake("split"), today=END)  # type: ignore[arg-type]

    assert (finding.ok, finding.name) == (None, "inference_model")
    assert finding.found == f"{MODEL} at fireworks retired on 2026-11-07 ({SOURCE})"
    assert finding.remedy == REMEDY
