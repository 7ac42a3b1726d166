"""Which texts are log destinations, and that what is said of the others quotes nothing of them."""

import json
from typing import Any

import pytest

from components.digitalocean.log_destinations import EXAMPLE, problem

TOKEN = "token-that-nobody-may-read"


@pytest.mark.parametrize(
    "destinations",
    [
        [{"name": "logs", "logtail": {"token": TOKEN}}],
        [{"papertrail": {"token": TOKEN}}],
        [
            {"datadog": {"endpoint": "https://http-intake.logs.datadoghq.com", "api_key": TOKEN}},
            {"logtail": {"token": TOKEN}},
        ],
    ],
)
def test_the_services_that_the_platform_knows_are_taken(destinations: list[Any]) -> None:
    assert problem(json.dumps(destinations)) is None


def test_the_example_is_one() -> None:
    assert problem(EXAMPLE) is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (TOKEN, "$"),
        (json.dumps({"logtail": {"token": TOKEN}}), "$"),
        ("[]", "$"),
        (json.dumps([TOKEN]), "$[0]"),
        (json.dumps([{TOKEN: {}}]), "$[0]"),
        (json.dumps([{"logtail": {"token": TOKEN}, "papertrail": {"token": TOKEN}}]), "$[0]"),
        (
            json.dumps([{"logtail": {"token": TOKEN}}, {"logtail": {"token": TOKEN}, TOKEN: 1}]),
            "$[1]",
        ),
        (json.dumps([{"datadog": {"api_key": TOKEN}}]), "$[0].datadog"),
        (json.dumps([{"papertrail": TOKEN}]), "$[0].papertrail"),
        (json.dumps([{"logtail": {"token": ""}}]), "$[0].logtail.token"),
    ],
)
def test_the_place_of_an_error_is_said_without_the_token(text: str, place: str) -> None:
    assert problem(text) == (
        "it must be a JSON list of destinations, each with one of datadog, logtail, papertrail; "
        f"the error is at {place}"
    )
