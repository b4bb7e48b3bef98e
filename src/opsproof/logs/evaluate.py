"""Which records of a batch each rule describes: boolean masks over the batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from opsproof.logs.atoms import FieldAtoms
from opsproof.logs.findings import Findings
from opsproof.logs.keywords import FieldKeywords, Keywords, TextKeywords, own
from opsproof.logs.readers.base import KIND, kinds_of
from opsproof.logs.readers.evtx_fields import OWN
from opsproof.logs.rules.compiled import Atom, Rule, RuleSet, Tree
from opsproof.logs.table import RAW, Forms, Ints, Mask, Recent, Table


class Evaluator:
    """Evaluates the rules of one rule set on one batch after another."""

    def __init__(self, rules: RuleSet) -> None:
        """Sorts atoms by field and the parts of conditions by cost, once for all batches."""
        self._atoms = rules.atoms
        by_field: dict[str, list[tuple[int, Atom]]] = defaultdict(list)
        for number, atom in enumerate(rules.atoms):
            if atom.op not in {"ex", "ref"}:
                by_field[atom.field].append((number, atom))
        self._by_field = by_field
        self._ready: dict[str, FieldAtoms] = {}
        self._findings: dict[str, Recent[Findings]] = defaultdict(Recent)
        self._known: tuple[Forms, list[tuple[Rule, Mask]]] | None = None
        self._searched: tuple[dict[int, Findings], ...] = ({}, {})
        self._rules: dict[str, list[tuple[Rule, Tree]]] = defaultdict(list)
        for rule in rules.rules:
            self._rules[rule.needs.kind].append((rule, _ordered(rule.tree, rules.atoms)))

    @property
    def wanted(self) -> frozenset[str]:
        """The lower-cased names of all fields that any rule looks at."""
        names = {atom.field for atom in self._atoms}
        names.update(atom.value for atom in self._atoms if atom.op == "ref")
        if any(own(atom) for atom in self._atoms if atom.field == RAW):
            names |= OWN
        return frozenset(names)

    def hits(self, table: Table) -> Iterator[tuple[Rule, Ints]]:
        """Each rule that describes any record of the batch, with the numbers of these records."""
        forms, of = table.forms or (table, None)
        kinds = forms.columns[KIND].values if KIND in forms.columns else ()
        chosen = [pair for kind in sorted(kinds_of(kinds)) for pair in self._rules.get(kind, ())]
        if not chosen:
            return
        for rule, mask in self._masks(forms, chosen):
            rows = np.flatnonzero(mask if of is None else mask[of])
            if len(rows):
                yield rule, rows.astype(np.int32)

    def _masks(
        self, forms: Table | Forms, chosen: list[tuple[Rule, Tree]]
    ) -> Iterable[tuple[Rule, Mask]]:
        """What of the batch each rule describes, if any; of forms that come again it is known."""
        if self._known is not None and self._known[0] is forms:
            return self._known[1]
        batch = _Batch(self._atoms, self._seen(forms), self._keywords(forms), forms)
        found = ((rule, batch.mask(tree)) for rule, tree in chosen if batch.possible(tree))
        if not isinstance(forms, Forms):
            return found
        masks = [(rule, mask) for rule, mask in found if mask.any()]
        self._known = forms, masks
        return masks

    def _field(self, name: str) -> FieldAtoms | None:
        """The atoms of a field, made ready when a log first has it."""
        ready = self._ready.get(name)
        if ready is None and name in self._by_field:
            ready = self._ready[name] = FieldAtoms(self._by_field[name])
        return ready

    def _seen(self, table: Table | Forms) -> dict[str, Findings]:
        """What is known of the batch's columns by field, from earlier batches where values go on."""
        seen = {}
        for name, column in table.columns.items():
            atoms = self._field(name)
            if atoms is not None:
                found = self._findings[name].of(column, partial(Findings, atoms, column))
                found.see(column)
                seen[name] = found
        return seen

    def _keywords(self, table: Table | Forms) -> Keywords | None:
        atoms = self._field(RAW)
        if atoms is None:
            return None
        if table.raw is not None:
            return TextKeywords(atoms, table.raw, table.size)
        if table.parts is None:
            return None
        searched = {}
        for column in table.parts:
            key = id(column.values)
            found = next((known[key] for known in self._searched if key in known), None)
            if found is None or found.values is not column.values:
                found = Findings(atoms, column)
            found.see(column)
            searched[key] = found
        # What is no longer there is forgotten: memory must not grow with the files. Lines of usual
        # form take turns with others, so it is kept for one batch more.
        self._searched = searched, self._searched[0]
        parts = [(column, searched[id(column.values)]) for column in table.parts]
        return FieldKeywords(atoms, parts, table.size)


class _Batch:
    """Atom results of one batch, each computed once."""

    def __init__(
        self,
        atoms: tuple[Atom, ...],
        findings: dict[str, Findings],
        keywords: Keywords | None,
        table: Table | Forms,
    ) -> None:
        self._atoms = atoms
        self._table = table
        self._findings = findings
        self._keywords = keywords
        self._masks: dict[int, Mask] = {}
        self._alive: set[int] = set()
        for found in findings.values():
            self._alive |= found.alive

    def possible(self, tree: Tree) -> bool:
        """False where a part that is needed holds for no value of the batch at all."""
        if isinstance(tree, int):
            atom = self._atoms[tree]
            if atom.op == "ref":
                return atom.field in self._table.columns and atom.value in self._table.columns
            if atom.op == "ex":
                return atom.field in self._table.columns
            if atom.field == RAW and self._keywords is not None:
                return self._keywords.possible(tree)
            return tree in self._alive or self._lazy(tree, atom)
        if tree[0] == "&":
            return all(self.possible(part) for part in tree[1:])
        if tree[0] == "|":
            return any(self.possible(part) for part in tree[1:])
        return True

    def _lazy(self, number: int, atom: Atom) -> bool:
        found = self._findings.get(atom.field)
        return found is not None and found.lazy(number)

    def mask(self, tree: Tree, alive: Mask | None = None) -> Mask:
        """The records that the tree holds for; right for those ``alive`` (None: for all).

        The result may be shared: it is never written to.
        """
        if isinstance(tree, int):
            if self._keywords is not None and self._atoms[tree].field == RAW:
                return self._keywords.mask(tree, alive)
            found = self._masks.get(tree)
            if found is None:
                found = self._masks[tree] = self._atom(tree)
            return found
        if tree[0] == "!":
            return ~self.mask(tree[1], alive)
        if tree[0] == "&":
            return self._all(tree[1:], alive)
        result = np.zeros(self._table.size, dtype=np.bool_)
        for part in tree[1:]:
            if self.possible(part):
                result |= self.mask(part, alive)
        return result

    def _all(self, parts: list[Tree], alive: Mask | None) -> Mask:
        result = np.ones(self._table.size, dtype=np.bool_) if alive is None else alive.copy()
        for part in parts:
            result &= self.mask(part, result)
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
        elif atom.field in self._findings:
            chosen = self._findings[atom.field].mask(number, atom)[column.code_array()]
            if len(chosen) == self._table.size:
                return chosen
            result[column.row_array()[chosen]] = True
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
                refers(lower_here[pair // width], lower_there[pair % width], atom.flags)
                for pair in distinct.tolist()
            ],
            dtype=np.bool_,
        )
        if len(holds):
            result[rows[holds[back]]] = True


def refers(text: str, other: str, flags: str) -> bool:
    """Whether a value (lower-cased) is, holds, begins or ends with another field's value."""
    if flags == "se":
        return other in text
    if flags == "s":
        return text.startswith(other)
    return text.endswith(other) if flags == "e" else text == other


_COSTS = {"eq": 0, "sw": 0, "ew": 0, "in": 0, "ex": 0, "lt": 1, "le": 1, "gt": 1, "ge": 1}


def _ordered(tree: Tree, atoms: tuple[Atom, ...]) -> Tree:
    """The tree with cheap and selective parts first; negations, keywords and the like last."""
    if isinstance(tree, int):
        return tree
    parts = [_ordered(part, atoms) for part in tree[1:]]
    if tree[0] == "&":
        parts.sort(key=lambda part: _cost(part, atoms))
    return [tree[0], *parts]


def _cost(tree: Tree, atoms: tuple[Atom, ...]) -> int:
    if isinstance(tree, int):
        atom = atoms[tree]
        return 20 if atom.field == RAW else _COSTS.get(atom.op, 6)
    own = {"&": 2, "|": 3, "!": 5}[tree[0]]
    return own + max((_cost(part, atoms) for part in tree[1:]), default=0)
