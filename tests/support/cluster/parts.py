"""What `./seamless test cluster` gets or builds before these tests."""

from typing import TypeVar

import pytest

Part = TypeVar("Part")


def there(found: Part | None, name: str) -> Part:
    """What was found; without it the test is skipped."""
    if found is None:
        pytest.skip(f"there is no {name} yet: ./seamless test cluster gets it")
    return found
