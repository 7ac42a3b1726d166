"""The check of log destinations accepts valid JSON and shows no token in an error."""

import json

import pytest

from components.digitalocean.log_destinations import EXAMPLE, problem

TOKEN = "token-of-a-test"


@pytest.mark.parametrize(
    "destinations",
    [
        EXAMPLE,
        json.dumps([{"papertrail": {"token": TOKEN}}]),
        json.dumps(
            [
                {"datadog": {"endpoint": "https://logs.example", "api_key": TOKEN}},
                {"logtail": {"token": TOKEN}},
            ]
        ),
    ],
)
def test_the_example_and_all_services_of_the_platform_are_accepted(destinations: str) -> None:
    assert problem(destinations) is None


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
def test_an_error_has_its_place_and_no_token(text: str, place: str) -> None:
    assert problem(text) == (
        "it must be a JSON list of destinations, each with one of datadog, logtail, papertrail; "
        f"the error is at {place}"
    )
