"""Parts that `./seamless test cluster` downloads or builds before the tests."""

from typing import TypeVar

import pytest

Part = TypeVar("Part")


def there(found: Part | None, name: str) -> Part:
    """The part; the test is skipped without it."""
    if found is None:
        pytest.skip(f"there is no {name} yet: ./seamless test cluster gets it")
    return found
