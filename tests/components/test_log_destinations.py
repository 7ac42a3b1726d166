"""Which texts are log destinations, and that what is said of the others quotes nothing of them."""

import json
from typing import Any

import pytest

from components.log_destinations import EXAMPLE, problem

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
    assert problem(EXAMPLE.strip("'")) is None


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (TOKEN, "no JSON"),
        (json.dumps({"logtail": {"token": TOKEN}}), "no list"),
        ("[]", "no list"),
        (json.dumps([TOKEN]), "no object in place 1"),
        (json.dumps([{TOKEN: {}}]), "with 0 services in place 1"),
        (
            json.dumps([{"logtail": {"token": TOKEN}, "papertrail": {"token": TOKEN}}]),
            "with 2 services in place 1",
        ),
        (
            json.dumps([{"logtail": {"token": TOKEN}}, {"logtail": {"token": TOKEN}, TOKEN: 1}]),
            "with 1 unknown keys in place 2",
        ),
        (
            json.dumps([{"datadog": {"api_key": TOKEN}}]),
            "without exactly api_key and endpoint for datadog",
        ),
        (json.dumps([{"papertrail": TOKEN}]), "without exactly token for papertrail"),
        (json.dumps([{"logtail": {"token": ""}}]), "with an empty value for logtail"),
    ],
)
def test_what_is_wrong_is_said_without_the_token(text: str, wrong: str) -> None:
    assert problem(text) == wrong
