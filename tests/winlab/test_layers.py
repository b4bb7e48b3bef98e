"""Imports inside winlab point down only, and the two lowest layers do no I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "src" / "winlab"

# A layer may import itself and those listed here: `sqlserver`, `host` and `wire` are at the bottom.
BELOW = {
    "sqlserver": set(),
    "host": {"sqlserver"},
    "wire": set(),
    "commands": {"host", "sqlserver"},
    "modules": {"commands", "host"},
    "exec": {"modules", "commands", "host"},
    "session": {"wire", "exec"},
    "server": {"session", "wire", "exec", "host", "sqlserver"},
    "estate": {"server", "session", "exec", "modules", "commands", "host", "sqlserver"},
    "cli": {"estate", "server"},
}
# How commands and modules are reported back is typed in exec.process, which imports nothing of ours.
SHARED = {"winlab.exec.process"}
NO_IO = {
    "asyncio",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "uuid",
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            yield module
            if module == "winlab":
                yield from (f"winlab.{alias.name}" for alias in node.names)


def sources() -> list[Path]:
    found = sorted(ROOT.rglob("*.py"))
    assert len(found) > 50
    return found


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_every_package_has_its_layer() -> None:
    assert {layer_of(path) for path in sources()} - {"__init__"} == set(BELOW)


@pytest.mark.parametrize("layer", sorted(BELOW))
def test_imports_point_down_only(layer: str) -> None:
    wrong = []
    for path in sources():
        if layer_of(path) != layer:
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "winlab" or len(parts) < 2 or name in SHARED:
                continue
            if parts[1] != layer and parts[1] not in BELOW[layer]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


@pytest.mark.parametrize("layer", ["host", "sqlserver", "wire"])
def test_the_lowest_layers_do_no_io(layer: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources()
        if layer_of(path) == layer
        for name in imports(path)
        if name.partition(".")[0] in NO_IO
    ]
    assert not wrong


def test_nothing_of_the_lab_is_used_by_the_product() -> None:
    product = ROOT.parent / "opsproof"
    wrong = [
        f"{path.relative_to(product)} imports {name}"
        for path in sorted(product.rglob("*.py"))
        for name in imports(path)
        if name.partition(".")[0] == "winlab"
    ]
    assert not wrong
