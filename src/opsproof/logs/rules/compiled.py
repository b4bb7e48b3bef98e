"""The compiled form of a rule set: plain records that a cache file can hold.

A condition is a tree: an integer names an atom, ``["&", ...]`` and ``["|", ...]`` join subtrees,
``["!", x]`` negates one. An empty ``&`` is true, an empty ``|`` is false.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from opsproof.evidence.model import Severity
from opsproof.logs.model import RuleNotRun

Tree: TypeAlias = Any
"""``int`` or a list as described above."""


class Atom(msgspec.Struct, frozen=True, array_like=True):
    """One test of one field (lower-cased name).

    Text operations, on lower-cased text unless ``cased``: ``eq``, ``sw`` (starts with), ``ew``,
    ``in`` (contains), ``glob`` (``value`` is a pattern of :mod:`opsproof.logs.globs`). Others:
    ``re`` (``flags`` of i, m, s), ``cidr``, ``lt le gt ge`` (a number), ``part`` (a part of a time,
    ``value`` is ``hour:3``), ``ref`` (another field; ``flags`` of s, e), ``ex`` (the field exists).
    """

    field: str
    op: str
    value: str = ""
    flags: str = ""


class Needs(msgspec.Struct, frozen=True):
    """The log source of a rule: the kind of log, and the Windows channels (none: any)."""

    kind: str
    channels: tuple[str, ...] = ()


class Meta(msgspec.Struct, frozen=True):
    """What a report says of a rule. Texts by language: ``en`` and, for our own rules, ``zh``."""

    id: str
    name: str
    title: dict[str, str]
    severity: Severity
    file: str
    author: str
    description: str
    advice: dict[str, str]
    demands: tuple[str, ...]
    clauses: tuple[str, ...]
    attack: tuple[str, ...]
    references: tuple[str, ...]
    output: bool


class Rule(msgspec.Struct, frozen=True):
    """A rule on single records. ``fields`` are those that its condition names, for display."""

    meta: Meta
    needs: Needs
    tree: Tree
    fields: tuple[str, ...]


class Input(msgspec.Struct, frozen=True):
    """One rule that feeds a correlation. ``keys`` are its names for the group-by fields."""

    rule: str
    keys: tuple[str, ...]


class Correlation(msgspec.Struct, frozen=True):
    """A rule on several records within ``span`` microseconds, both ends included.

    ``op`` (lt le gt ge eq ne) compares the counted quantity with ``count``. ``fields`` are the
    fields that are counted or summed. ``upper``, where given, is the other end of a range: an operator
    and a number for the same quantity. ``expression`` is a tree over indices of ``inputs`` for extended
    conditions.
    """

    meta: Meta
    type: Literal[
        "event_count",
        "value_count",
        "value_sum",
        "value_avg",
        "value_percentile",
        "temporal",
        "temporal_ordered",
    ]
    inputs: tuple[Input, ...]
    group: tuple[str, ...]
    span: int
    op: str = "ge"
    count: int = 1
    fields: tuple[str, ...] = ()
    percentile: int = 50
    expression: Tree = None
    upper: tuple[str, int] | None = None


class RuleSet(msgspec.Struct, frozen=True):
    """All rules of an audit, sorted by id; correlations after those they refer to."""

    sha256: str
    atoms: tuple[Atom, ...]
    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]
    rejected: tuple[RuleNotRun, ...]
