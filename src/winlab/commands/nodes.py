"""The tree of a cmd.exe line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Redirect:
    """``handle`` 0, 1 or 2; ``target`` a file name or "&n"; ``append`` for >>."""

    handle: int
    target: str
    append: bool = False


@dataclass(frozen=True, slots=True)
class Simple:
    """A command with its arguments: escapes are gone, quotes are kept."""

    text: str
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Commands in parentheses."""

    body: Node | None
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """Two commands joined by "&", "&&", "||" or "|"."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class If:
    """``kind``: exist, errorlevel, defined, or a comparison operator (== EQU NEQ LSS ...)."""

    kind: str
    negate: bool
    ignore_case: bool
    left: str
    right: str
    then: Node
    other: Node | None


@dataclass(frozen=True, slots=True)
class For:
    """``kind``: "" (files or words), "D", "R", "L" or "F" with ``options``."""

    kind: str
    options: str
    variable: str
    items: str
    body: Node


Node: TypeAlias = "Simple | Block | Joined | If | For"
