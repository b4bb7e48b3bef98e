"""What holds for all tests."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker begins one when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)
