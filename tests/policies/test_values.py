"""Values of the engine's protocol as a rule gets them."""

from dataclasses import replace
from typing import Any

import pytest
from pulumi.runtime import rpc

from policies.resource import SECRET, UNKNOWN, from_wire
from policies.rule import may_name, names
from policies.values import listed, mapped
from tests.support.planned import planned

WIRE_SECRET = {rpc._special_sig_key: rpc._special_secret_sig, "value": "tulip"}
ASSET = {rpc._special_sig_key: rpc._special_asset_sig, "path": "code.zip"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (3.0, 3.0),
        (None, None),
        (rpc.UNKNOWN, UNKNOWN),
        (WIRE_SECRET, SECRET),
        ({"a": [WIRE_SECRET, {"b": rpc.UNKNOWN}]}, {"a": [SECRET, {"b": UNKNOWN}]}),
        (ASSET, ASSET),
    ],
)
def test_a_value_keeps_its_shape_and_loses_secrets_and_unknown_parts(
    value: Any, expected: Any
) -> None:
    assert from_wire(value) == expected


@pytest.mark.parametrize(
    ("value", "items"),
    [(["a", "b"], ["a", "b"]), ("a", ["a"]), (None, []), (UNKNOWN, []), ([], [])],
)
def test_a_single_item_is_a_list_and_an_unknown_value_is_an_empty_one(
    value: Any, items: list[Any]
) -> None:
    assert listed(value) == items


def test_a_value_that_is_no_mapping_is_an_empty_mapping() -> None:
    assert mapped({"a": 1}) == {"a": 1}
    assert mapped(None) == mapped(SECRET) == mapped("a") == {}


@pytest.mark.parametrize(
    ("value", "name", "certain", "possible"),
    [
        ("work", "work", True, True),
        ("arn:aws:sqs:eu-west-1:1:work", "work", True, True),
        ("arn:aws:sqs:eu-west-1:1:rework", "work", False, False),
        (UNKNOWN, "work", False, True),
        ("", "work", False, False),
        (None, "work", False, False),
        ("work", UNKNOWN, False, True),
        (None, UNKNOWN, False, False),
    ],
)
def test_a_name_or_an_arn_names_a_resource_and_an_unknown_value_may_do_so(
    value: Any, name: str, certain: bool, possible: bool
) -> None:
    resource = replace(planned("a:b:T", "logical"), inputs={"name": name})

    assert names(value, resource) is certain
    assert may_name(value, resource) is possible
