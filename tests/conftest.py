"""What holds for all tests."""

from __future__ import annotations

import pytest

# Files that take longest, the longest first; a name that is gone does no harm, a wrong order costs time.
LONGEST = (
    "patching/test_stories.py",
    "e2e/test_molecule_looking.py",
    "e2e/test_molecule_changing.py",
    "e2e/test_daily_run.py",
    "run/test_perform.py",
    "e2e/test_mutations.py",
    "run/test_kill.py",
    "winlab/modules/test_playbook.py",
    "signatures/test_apply.py",
    "signatures/test_kill.py",
)


def rank(item: pytest.Item) -> tuple[int, bool]:
    """Place of a test's file among the longest, then whether it takes seconds at all."""
    path = item.path.as_posix()
    place = next((n for n, name in enumerate(LONGEST) if path.endswith(f"/{name}")), len(LONGEST))
    return place, item.get_closest_marker("e2e") is None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker begins one when the others are done."""
    items.sort(key=rank)
