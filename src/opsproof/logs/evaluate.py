"""Which records of a batch each rule describes: boolean masks over the batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from opsproof.logs.atoms import codes_of
from opsproof.logs.rules.compiled import Atom, Rule, RuleSet, Tree
from opsproof.logs.table import Ints, Mask, Table


class Evaluator:
    """Evaluates the rules of one rule set on one batch after another."""

    def __init__(self, rules: RuleSet) -> None:
        """Sorts the atoms by field, once for all batches."""
        self._rules = rules
        self._atoms = rules.atoms
        self._by_field: dict[str, list[tuple[int, Atom]]] = defaultdict(list)
        for number, atom in enumerate(rules.atoms):
            if atom.op not in {"ex", "ref"}:
                self._by_field[atom.field].append((number, atom))

    @property
    def wanted(self) -> frozenset[str]:
        """The lower-cased names of all fields that any rule looks at."""
        names = {atom.field for atom in self._atoms}
        names.update(atom.value for atom in self._atoms if atom.op == "ref")
        return frozenset(names)

    def hits(self, table: Table) -> Iterator[tuple[Rule, Ints]]:
        """Each rule that describes any record of the batch, with the numbers of these records."""
        batch = _Batch(self._atoms, self._by_field, table)
        for rule in self._rules.rules:
            if batch.possible(rule.tree):
                rows = np.flatnonzero(batch.mask(rule.tree))
                if len(rows):
                    yield rule, rows.astype(np.int32)


class _Batch:
    """Atom results of one batch, each computed once."""

    def __init__(
        self,
        atoms: tuple[Atom, ...],
        by_field: dict[str, list[tuple[int, Atom]]],
        table: Table,
    ) -> None:
        self._atoms = atoms
        self._table = table
        self._masks: dict[int, Mask] = {}
        self._codes: dict[int, Mask] = {}
        for name, column in table.columns.items():
            found = by_field.get(name)
            if found:
                self._codes.update(codes_of(found, column))

    def possible(self, tree: Tree) -> bool:
        """False where a part that is needed holds for no value of the batch at all."""
        if isinstance(tree, int):
            atom = self._atoms[tree]
            if atom.op == "ref":
                return atom.field in self._table.columns and atom.value in self._table.columns
            return atom.field in self._table.columns if atom.op == "ex" else tree in self._codes
        if tree[0] == "&":
            return all(self.possible(part) for part in tree[1:])
        if tree[0] == "|":
            return any(self.possible(part) for part in tree[1:])
        return True

    def mask(self, tree: Tree) -> Mask:
        """The records that the tree holds for. The result is shared: never written to."""
        if isinstance(tree, int):
            found = self._masks.get(tree)
            if found is None:
                found = self._masks[tree] = self._atom(tree)
            return found
        if tree[0] == "!":
            return ~self.mask(tree[1])
        if tree[0] == "&":
            return self._all(tree[1:])
        result = np.zeros(self._table.size, dtype=np.bool_)
        for part in tree[1:]:
            if self.possible(part):
                result |= self.mask(part)
        return result

    def _all(self, parts: list[Tree]) -> Mask:
        result = np.ones(self._table.size, dtype=np.bool_)
        for part in sorted(parts, key=_cost):
            result &= self.mask(part)
            if not result.any():
                break
        return result

    def _atom(self, number: int) -> Mask:
        atom = self._atoms[number]
        result = np.zeros(self._table.size, dtype=np.bool_)
        column = self._table.columns.get(atom.field)
        if column is None:
            return result
        if atom.op == "ref":
            self._reference(atom, result)
        elif atom.op == "ex":
            result[column.row_array()] = True
        elif number in self._codes:
            result[column.row_array()[self._codes[number][column.code_array()]]] = True
        return result

    def _reference(self, atom: Atom, result: Mask) -> None:
        """A field against another field of the same record, each pair of values compared once."""
        here, there = self._table.columns[atom.field], self._table.columns.get(atom.value)
        if there is None:
            return
        rows, mine, other = np.intersect1d(
            here.row_array(), there.row_array(), assume_unique=True, return_indices=True
        )
        pairs = here.code_array()[mine].astype(np.int64) * len(there.values)
        pairs += there.code_array()[other]
        distinct, back = np.unique(pairs, return_inverse=True)
        lower_here = [name.lower() for name in here.names()]
        lower_there = [name.lower() for name in there.names()]
        width = len(there.values)
        holds = np.array(
            [
                _refers(lower_here[pair // width], lower_there[pair % width], atom.flags)
                for pair in distinct.tolist()
            ],
            dtype=np.bool_,
        )
        if len(holds):
            result[rows[holds[back]]] = True


def _refers(text: str, other: str, flags: str) -> bool:
    if flags == "se":
        return other in text
    if flags == "s":
        return text.startswith(other)
    return text.endswith(other) if flags == "e" else text == other


def _cost(tree: Tree) -> int:
    """Cheap and selective parts first; negations last, for they select the most."""
    if isinstance(tree, int):
        return 0
    return {"&": 1, "|": 2, "!": 3}[tree[0]]
