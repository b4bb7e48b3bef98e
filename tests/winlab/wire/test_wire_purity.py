"""The wire knows no sockets, clocks or randomness, and nothing above it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src" / "winlab" / "wire"
FORBIDDEN = {"asyncio", "os", "random", "secrets", "socket", "ssl", "threading", "time", "uuid"}
FILES = sorted(SOURCE.glob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_stay_inside(path: Path) -> None:
    names = imported(path)
    assert not {name.partition(".")[0] for name in names} & FORBIDDEN
    ours = {name for name in names if name.startswith(("winlab", "opsproof"))}
    assert all(name.startswith("winlab.wire") for name in ours)
