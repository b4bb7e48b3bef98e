"""The conditions of ``if``. Source: "if" (Microsoft Learn)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from winlab.commands.nodes import If
from winlab.host import paths

if TYPE_CHECKING:
    from winlab.commands.shell import Shell


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return int(text) if text.lstrip("-").isdecimal() else None


def _exists(shell: Shell, name: str) -> bool:
    bare = name.replace('"', "")
    if paths.is_device(bare):
        folder = bare.rpartition("\\")[0]
        return not folder or shell.host.files.is_folder(folder, shell.cwd)
    if bare.endswith("\\"):
        return shell.host.files.is_folder(bare, shell.cwd)
    return bool(shell.host.files.glob(bare, shell.cwd))


def holds(shell: Shell, node: If) -> bool:
    """Return the condition's value before ``not``."""
    left, right = shell.substitute(node.left), shell.substitute(node.right)
    if node.kind == "exist":
        return _exists(shell, left)
    if node.kind == "errorlevel":
        wanted = _number(left)
        return wanted is not None and shell.errorlevel >= wanted
    if node.kind == "defined":
        return shell.look_up(left) is not None
    if node.kind == "cmdextversion":
        return (_number(left) or 0) <= 2
    if node.ignore_case:
        left, right = left.lower(), right.lower()
    if node.kind == "==":
        return left == right
    a, b = _number(left), _number(right)
    order = _compare(a, b) if a is not None and b is not None else _compare(left, right)
    return {
        "EQU": order == 0,
        "NEQ": order != 0,
        "LSS": order < 0,
        "LEQ": order <= 0,
        "GTR": order > 0,
        "GEQ": order >= 0,
    }[node.kind]


def _compare(left: object, right: object) -> int:
    if left == right:
        return 0
    return -1 if left < right else 1  # type: ignore[operator]
