"""Say in words what a rule looks for, from its compiled form: what is evaluated is what is shown."""

from __future__ import annotations

from typing import Final

from opsproof.logs import globs
from opsproof.logs.readers.base import KIND
from opsproof.logs.rules.compiled import Atom, Correlation, Meta, Rule, RuleSet, Tree
from opsproof.logs.table import RAW

_OPERATIONS: Final = {
    "eq": "is",
    "sw": "starts with",
    "ew": "ends with",
    "in": "contains",
    "glob": "is like",
    "re": "matches the expression",
    "cidr": "is in the network",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "part": "has the time part",
    "ref": "is the same as the field",
    "ne": "is not",
}


def explain(rules: RuleSet, wanted: str) -> str | None:
    """The text for a rule, named by id, name or title; None where there is no such rule."""
    every: list[Rule | Correlation] = [*rules.rules, *rules.correlations]
    for rule in every:
        meta = rule.meta
        if wanted.lower() in {meta.id.lower(), meta.name.lower(), meta.title["en"].lower()}:
            body = _rule(rules, rule) if isinstance(rule, Rule) else _correlation(rules, rule)
            return "\n".join([*_head(meta), *body])
    for rejected in rules.rejected:
        if wanted.lower() in {rejected.rule.lower(), rejected.title.lower()}:
            return f"{rejected.title or rejected.rule}\nnot run: {rejected.detail}"
    return None


def _head(meta: Meta) -> list[str]:
    lines = [meta.title["en"]]
    if "zh" in meta.title:
        lines.append(meta.title["zh"])
    lines.append(meta.description)
    pairs = (
        ("id", meta.id),
        ("file", meta.file),
        ("author", meta.author),
        ("severity", meta.severity.value),
        ("attack", ", ".join(meta.attack)),
        ("demands", ", ".join(meta.demands)),
        ("clauses", ", ".join(meta.clauses)),
        *(("advice", text) for text in meta.advice.values()),
        *(("see", reference) for reference in meta.references),
    )
    lines += [f"{name}: {value}" for name, value in pairs if value]
    return [line for line in lines if line]


def _rule(rules: RuleSet, rule: Rule) -> list[str]:
    return ["a record hits when", *_tree(rules.atoms, rule.tree, 1)]


def _correlation(rules: RuleSet, correlation: Correlation) -> list[str]:
    titles = {rule.meta.id: rule.meta.title["en"] for rule in rules.rules}
    titles.update((one.meta.id, one.meta.title["en"]) for one in rules.correlations)
    names = [titles.get(one.rule, one.rule) for one in correlation.inputs]
    lines = [f"{correlation.type} within {correlation.span // 1_000_000} s, ends included, of"]
    lines += [f"  {name}" for name in names]
    if correlation.group:
        lines.append(f"with the same {', '.join(correlation.group)}")
        lines += [
            f"  called {', '.join(one.keys)} in {name}"
            for one, name in zip(correlation.inputs, names, strict=True)
            if one.keys != correlation.group
        ]
    return [*lines, *_condition(correlation, names)]


def _condition(correlation: Correlation, names: list[str]) -> list[str]:
    if correlation.expression is not None:
        order = correlation.type == "temporal_ordered"
        return ["where", *_named(correlation.expression, names, order=order, depth=1)]
    ends = [
        (correlation.op, correlation.count),
        *([correlation.upper] if correlation.upper else []),
    ]
    wanted = " and ".join(f"{_OPERATIONS.get(op, '=')} {count}" for op, count in ends)
    if correlation.type == "temporal_ordered":
        return ["one after another"]
    if correlation.type == "temporal":
        return [f"where the number of these that are found is {wanted}"]
    what: str = correlation.type
    if what == "value_percentile":
        what = f"percentile {correlation.percentile}"
    counted = f" of {', '.join(correlation.fields)}" if correlation.fields else ""
    return [f"{what}{counted} {wanted}"]


def _named(tree: Tree, names: list[str], *, order: bool, depth: int) -> list[str]:
    """An extended condition with the titles of the rules; ``&`` in an order is one after another."""
    indent = "  " * depth
    if isinstance(tree, int):
        return [indent + names[tree]]
    words = {"&": "one after another" if order else "all of", "|": "one of", "!": "not"}
    lines = [indent + words[tree[0]]]
    for part in tree[1:]:
        lines += _named(part, names, order=order, depth=depth + 1)
    return lines


def _tree(atoms: tuple[Atom, ...], tree: Tree, depth: int) -> list[str]:
    indent = "  " * depth
    if isinstance(tree, int):
        return [indent + _atom(atoms[tree])]
    if tree[0] == "!":
        return [f"{indent}not", *_tree(atoms, tree[1], depth + 1)]
    lines = [f"{indent}{'all of' if tree[0] == '&' else 'one of'}"]
    for part in tree[1:]:
        lines += _tree(atoms, part, depth + 1)
    return lines


def _atom(atom: Atom) -> str:
    field = {RAW: "the record's text", KIND: "the log"}.get(atom.field, atom.field)
    if atom.op == "ex":
        return f"{field} is there"
    value = atom.value
    if atom.op == "glob":
        value = value.replace(globs.STAR, "*").replace(globs.ANY, "?").replace(globs.ESCAPE, "")
    flags = f" ({atom.flags})" if atom.op == "re" and atom.flags else ""
    cased = ", upper and lower case told apart" if atom.flags == "c" else ""
    return f"{field} {_OPERATIONS[atom.op]} {value!r}{flags}{cased}"
