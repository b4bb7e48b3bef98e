"""Rules with one part less, or one number off: what their cases must tell from the rule itself.

A rule is changed in its compiled form: each part of an "and" and of an "or" is left out, a text that
has to stand at an end may stand anywhere, each bound is moved by one. A correlation loses each rule it
looks at, each field of its group and its order; its threshold moves by one, its window by a second.
What the log source says (kind, channel, event ids of a category) is the engine's and stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from opsproof.logs.rules.compiled import Atom, Correlation, Rule, Tree

_Any = TypeVar("_Any")
_SECOND = 1_000_000
_MOVED = {"lt", "le", "gt", "ge"}


@dataclass(frozen=True)
class Mutant:
    """``what`` is what was changed."""

    what: str
    rule: Rule | Correlation


def of_rule(rule: Rule, atoms: list[Atom]) -> Iterator[Mutant]:
    """The mutants of a rule on single records; the atoms that they need are added to ``atoms``."""
    start = len(rule.tree) if isinstance(rule.tree, list) else 0
    source = {
        place
        for place in range(1, start)
        if _is_source(rule.tree[place], atoms, bool(rule.needs.channels))
    }
    for number, (what, tree) in enumerate(_changed(rule.tree, atoms, source)):
        meta = msgspec.structs.replace(rule.meta, id=f"{rule.meta.id}/{number}")
        yield Mutant(what, msgspec.structs.replace(rule, meta=meta, tree=tree))


def of_correlation(rule: Correlation) -> Iterator[Mutant]:
    """The mutants of a correlation."""
    changes: list[tuple[str, dict[str, object]]] = [
        (f"window {sign}1 s", {"span": rule.span + step})
        for sign, step in (("+", _SECOND), ("-", -_SECOND))
    ]
    if rule.type not in {"temporal", "temporal_ordered"}:
        changes += [
            (f"{rule.count} is {rule.count + step}", {"count": rule.count + step})
            for step in (-1, 1)
            if rule.count + step > 0
        ]
        if len(rule.inputs) > 1:
            changes += [
                (f"without input {place}", {"inputs": _without(rule.inputs, place)})
                for place in range(len(rule.inputs))
            ]
    if rule.type == "temporal_ordered" and rule.expression is None:
        changes.append(("in any order", {"type": "temporal"}))
    for place, name in enumerate(rule.group):
        inputs = tuple(
            msgspec.structs.replace(one, keys=_without(one.keys, place)) for one in rule.inputs
        )
        changes.append((f"not by {name}", {"group": _without(rule.group, place), "inputs": inputs}))
    for what, change in changes:
        yield Mutant(what, msgspec.structs.replace(rule, **change))


def _without(values: tuple[_Any, ...], place: int) -> tuple[_Any, ...]:
    return values[:place] + values[place + 1 :]


def _is_source(tree: Tree, atoms: list[Atom], channels: bool) -> bool:
    if isinstance(tree, int):
        atom = atoms[tree]
        return atom.field == "_kind" or (channels and atom.field == "channel")
    if not channels or tree[0] == "!":
        return False
    return all(
        _is_source(part, atoms, channels)
        or (tree[0] == "&" and isinstance(part, int) and atoms[part].field == "eventid")
        for part in tree[1:]
    )


def _changed(
    tree: Tree, atoms: list[Atom], source: set[int] | None = None
) -> Iterator[tuple[str, Tree]]:
    if isinstance(tree, int):
        yield from _other(atoms[tree], atoms)
        return
    places = [place for place in range(1, len(tree)) if place not in (source or set())]
    for place in places:
        before, part, after = tree[:place], tree[place], tree[place + 1 :]
        if tree[0] != "!" and len(tree) > 2:
            yield f"without {_text(part, atoms)}", [*before, *after]
        for what, other in _changed(part, atoms):
            yield what, [*before, other, *after]


def _other(atom: Atom, atoms: list[Atom]) -> Iterator[tuple[str, Tree]]:
    if atom.op in {"sw", "ew"}:
        atoms.append(msgspec.structs.replace(atom, op="in"))
        yield f"anywhere: {atom.field} {atom.op} {atom.value}", len(atoms) - 1
    if atom.op in _MOVED:
        for step in (-1, 1):
            value = str(int(atom.value) + step)
            atoms.append(msgspec.structs.replace(atom, value=value))
            yield f"{atom.field} {atom.op} {atom.value} is {value}", len(atoms) - 1


def _text(tree: Tree, atoms: list[Atom]) -> str:
    if isinstance(tree, int):
        atom = atoms[tree]
        return f"{atom.field} {atom.op} {atom.value}"
    if tree[0] == "!":
        return f"not ({_text(tree[1], atoms)})"
    parts = [_text(part, atoms) for part in tree[1:]]
    shown = parts if len(parts) < 4 else [*parts[:2], f"{len(parts) - 2} more"]
    return "(" + {"&": " and ", "|": " or "}[tree[0]].join(shown) + ")"
