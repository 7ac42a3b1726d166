"""What a rule sees of a value of the engine's protocol."""

from typing import Any

import pytest
from pulumi.runtime import rpc

from policies.rule import Resource, may_name, names
from policies.values import Hidden, from_wire, listed, mapped

SECRET = {rpc._special_sig_key: rpc._special_secret_sig, "value": "tulip"}
ASSET = {rpc._special_sig_key: rpc._special_asset_sig, "path": "code.zip"}


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("text", "text"),
        (3.0, 3.0),
        (None, None),
        (rpc.UNKNOWN, Hidden.UNKNOWN),
        (SECRET, Hidden.SECRET),
        ({"a": [SECRET, {"b": rpc.UNKNOWN}]}, {"a": [Hidden.SECRET, {"b": Hidden.UNKNOWN}]}),
        (ASSET, {"path": "code.zip"}),
    ],
)
def test_a_value_keeps_its_shape_and_loses_what_cannot_be_read(value: Any, seen: Any) -> None:
    """At any depth; a secret's value is gone."""
    assert from_wire(value) == seen


@pytest.mark.parametrize(
    ("value", "items"),
    [(["a", "b"], ["a", "b"]), ("a", ["a"]), (None, []), (Hidden.UNKNOWN, []), ([], [])],
)
def test_one_item_is_a_list_of_one_and_what_is_absent_or_hidden_of_none(
    value: Any, items: list[Any]
) -> None:
    """As AWS writes its documents."""
    assert listed(value) == items


def test_what_is_no_mapping_has_no_keys() -> None:
    """Neither has what is hidden."""
    assert mapped({"a": 1}) == {"a": 1}
    assert mapped(None) == mapped(Hidden.SECRET) == mapped("a") == {}


@pytest.mark.parametrize(
    ("value", "surely", "perhaps"),
    [
        ("work", True, True),
        ("arn:aws:sqs:eu-west-1:1:work", True, True),
        ("arn:aws:sqs:eu-west-1:1:rework", False, False),
        (Hidden.UNKNOWN, False, True),
        ("", False, False),
        (None, False, False),
    ],
)
def test_a_name_or_an_arn_names_a_resource_and_what_nobody_can_read_may(
    value: Any, surely: bool, perhaps: bool
) -> None:
    """Nothing else does."""
    resource = Resource(type="t", name="logical", props={"name": "work"})

    assert names(value, resource) is surely
    assert may_name(value, resource) is perhaps


def test_a_resource_whose_name_nobody_can_read_may_be_the_one() -> None:
    """Unless what should name it is no name."""
    resource = Resource(type="t", name="logical", props={"name": Hidden.UNKNOWN})

    assert may_name("work", resource)
    assert not names("work", resource)
    assert not may_name(None, resource)
