"""What a rule sees of a value of the engine's protocol."""

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
    ("value", "seen"),
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
def test_a_value_keeps_its_shape_and_loses_what_cannot_be_read(value: Any, seen: Any) -> None:
    """At any depth; a secret's value is gone."""
    assert from_wire(value) == seen


@pytest.mark.parametrize(
    ("value", "items"),
    [(["a", "b"], ["a", "b"]), ("a", ["a"]), (None, []), (UNKNOWN, []), ([], [])],
)
def test_one_item_is_a_list_of_one_and_what_is_absent_or_hidden_of_none(
    value: Any, items: list[Any]
) -> None:
    """As AWS writes its documents."""
    assert listed(value) == items


def test_what_is_no_mapping_has_no_keys() -> None:
    """Neither has what is hidden."""
    assert mapped({"a": 1}) == {"a": 1}
    assert mapped(None) == mapped(SECRET) == mapped("a") == {}


@pytest.mark.parametrize(
    ("value", "surely", "perhaps"),
    [
        ("work", True, True),
        ("arn:aws:sqs:eu-west-1:1:work", True, True),
        ("arn:aws:sqs:eu-west-1:1:rework", False, False),
        (UNKNOWN, False, True),
        ("", False, False),
        (None, False, False),
    ],
)
def test_a_name_or_an_arn_names_a_resource_and_what_nobody_can_read_may(
    value: Any, surely: bool, perhaps: bool
) -> None:
    """Nothing else does."""
    resource = replace(planned("a:b:T", "logical"), inputs={"name": "work"})

    assert names(value, resource) is surely
    assert may_name(value, resource) is perhaps


def test_a_resource_whose_name_nobody_can_read_may_be_the_one() -> None:
    """Unless what should name it is no name."""
    resource = replace(planned("a:b:T", "logical"), inputs={"name": UNKNOWN})

    assert may_name("work", resource)
    assert not names("work", resource)
    assert not may_name(None, resource)
