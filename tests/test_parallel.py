"""Tests with a shared fixture run in one process in order."""

import pytest

from tests.support.parallel import story


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("tests/test_models.py::test_one[split]", "tests/test_models.py"),
        ("tests/contract/test_http.py::test_one[lambda-x]", "tests/contract/[lambda]"),
        ("tests/contract/test_pipeline.py::test_two[lambda]", "tests/contract/[lambda]"),
        ("tests/contract/test_harness.py::test_three", "tests/contract/test_harness.py"),
        ("tests/engine/test_clouds.py::test_one[split-key]", "tests/engine/test_clouds.py[split]"),
        ("tests/engine/test_local_stack.py::test_one", "tests/engine/test_local_stack.py"),
    ],
)
def test_tests_with_a_shared_fixture_are_one_sequence(nodeid: str, name: str) -> None:
    assert story(nodeid) == name
