"""The only page that speaks to pySigma's rule objects: from YAML texts to a compiled rule set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import msgspec
import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.filters import SigmaFilter
from sigma.rule import SigmaLevel, SigmaRule, SigmaRuleBase

from opsproof.evidence.model import Severity
from opsproof.logs.model import Reason, RuleNotRun
from opsproof.logs.rules import correlations
from opsproof.logs.rules.compile import Atoms, UnsupportedError, compile_rule
from opsproof.logs.rules.compiled import Correlation, Meta, Needs, Rule, RuleSet
from opsproof.logs.rules.encodings import use_ours
from opsproof.logs.rules.logsource import select

_SEVERITY = {
    SigmaLevel.INFORMATIONAL: Severity.INFO,
    SigmaLevel.LOW: Severity.LOW,
    SigmaLevel.MEDIUM: Severity.MEDIUM,
    SigmaLevel.HIGH: Severity.HIGH,
    SigmaLevel.CRITICAL: Severity.CRITICAL,
}


def compile_all(digest: str, texts: Sequence[tuple[str, bytes]]) -> RuleSet:
    """Every rule of the texts, compiled or rejected with the reason."""
    use_ours()
    builder = _Builder()
    for name, content in texts:
        builder.read(name, content)
    return builder.finish(digest)


class _MetaError(Exception):
    """What a rule says of itself is not of the form that a report needs."""


class _Builder:
    def __init__(self) -> None:
        self._atoms = Atoms()
        self._parsed: list[tuple[str, SigmaRuleBase]] = []
        self._filters: list[SigmaFilter] = []
        self._rejected: list[tuple[str, RuleNotRun]] = []
        self._upper: dict[str, tuple[str, int]] = {}

    def read(self, name: str, content: bytes) -> None:
        """The documents of one file."""
        try:
            documents = list(yaml.load_all(content, Loader=yaml.CSafeLoader))
        except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
            # PyYAML's own too, for a tag that its value does not fit (!!bool 7).
            self._reject(name, name, "", Reason.INVALID, f"it is no YAML: {_line(error)}")
            return
        for number, document in enumerate(documents, 1):
            if document is None:
                continue
            where = name if number == 1 else f"{name}#{number}"
            if not isinstance(document, dict):
                self._reject(where, where, "", Reason.INVALID, "it is no mapping")
                continue
            self._document(where, document)

    def _document(self, where: str, document: dict[str, Any]) -> None:
        title = str(document.get("title") or "")
        key = str(document.get("id") or where)
        try:
            document = self._one_condition(where, document)
            collection = SigmaCollection.from_dicts(
                [document], collect_errors=True, collect_filters=True, resolve_references=False
            )
        except UnsupportedError as error:
            self._reject(where, key, title, Reason.UNSUPPORTED, str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever a rule file does to the parser, it is that rule's fault
            self._reject(where, key, title, Reason.INVALID, _line(error))
            return
        if collection.errors:
            self._reject(where, key, title, Reason.INVALID, _line(collection.errors[0]))
            return
        self._filters.extend(collection.filters)
        self._parsed.extend((where, rule) for rule in collection.rules)

    def _one_condition(self, where: str, document: dict[str, Any]) -> dict[str, Any]:
        """The document as pySigma takes it; the upper end of a range is kept for the compiler."""
        asked = document.get("correlation")
        if not isinstance(asked, dict):
            return document
        condition, upper = correlations.split_range(asked.get("condition"))
        if upper is None:
            return document
        self._upper[where] = upper
        return {**document, "correlation": {**asked, "condition": condition}}

    def finish(self, digest: str) -> RuleSet:
        """Compile what was read. Filters apply first, correlations come last."""
        rules: dict[str, Rule] = {}
        waiting: list[tuple[Meta, SigmaCorrelationRule]] = []
        referred = self._referred()
        for where, parsed in self._parsed:
            try:
                meta = _meta(where, parsed, output=not _is(parsed, referred))
            except _MetaError as error:
                key = str(parsed.id) if parsed.id else where
                self._reject(where, key, parsed.title, Reason.INVALID, str(error))
                continue
            if isinstance(parsed, SigmaCorrelationRule):
                waiting.append((meta, parsed))
            elif isinstance(parsed, SigmaRule):
                self._rule(meta, parsed, rules)
        found = self._correlations(waiting, rules)
        return RuleSet(
            sha256=digest,
            atoms=self._atoms.listed(),
            rules=tuple(rules[key] for key in sorted(rules)),
            correlations=tuple(found),
            rejected=self._named_apart({*rules, *(one.meta.id for one in found)}),
        )

    def _named_apart(self, taken: set[str]) -> tuple[RuleNotRun, ...]:
        """What was rejected, under names that nothing else has: several files may give one id."""
        apart = []
        for where, one in self._rejected:
            name = one.rule if one.rule not in taken else f"{one.rule} {where}"
            taken.add(name)
            apart.append(msgspec.structs.replace(one, rule=name))
        return tuple(sorted(apart, key=lambda one: one.rule))

    def _referred(self) -> set[str]:
        """Names and ids of rules that only feed a correlation (its ``generate`` is not set)."""
        return {
            reference
            for _, rule in self._parsed
            if isinstance(rule, SigmaCorrelationRule) and not rule.generate
            for reference in correlations.references(rule)
        }

    def _rule(self, meta: Meta, parsed: SigmaRule, rules: dict[str, Rule]) -> None:
        where = meta.file
        source = parsed.logsource
        selection = select(source.product, source.category, source.service)
        if selection is None:
            names = [source.product, source.category, source.service]
            text = "/".join(name or "*" for name in names)
            self._reject(
                where, meta.id, meta.title["en"], Reason.NO_SOURCE, f"no reader for {text} logs"
            )
            return
        try:
            filtered = parsed
            for one in self._filters:
                filtered = cast("SigmaRule", one.apply_on_rule(filtered))
            tree, fields = compile_rule(filtered, selection, self._atoms)
        except UnsupportedError as error:
            self._reject(where, meta.id, meta.title["en"], Reason.UNSUPPORTED, str(error))
        except Exception as error:  # noqa: BLE001 - as above: no rule may stop the others
            self._reject(where, meta.id, meta.title["en"], Reason.INVALID, _line(error))
        else:
            if meta.id in rules:
                self._again(meta, rules[meta.id].meta)
                return
            needs = Needs(selection.kind, selection.channels)
            rules[meta.id] = Rule(meta=meta, needs=needs, tree=tree, fields=tuple(fields))

    def _correlations(
        self, waiting: list[tuple[Meta, SigmaCorrelationRule]], rules: dict[str, Rule]
    ) -> list[Correlation]:
        """Compile correlations until none is left whose inputs are known."""
        known = {name: rule.meta.id for rule in rules.values() for name in _names(rule.meta)}
        found: list[Correlation] = []
        waiting = self._once(waiting, rules)
        metas = [*(rule.meta for rule in rules.values()), *(meta for meta, _ in waiting)]
        often = Counter(name for meta in metas for name in set(_names(meta)))
        while waiting:
            left = []
            for meta, parsed in waiting:
                missing = [name for name in correlations.references(parsed) if name not in known]
                if missing:
                    left.append((meta, parsed))
                    continue
                unclear = [name for name in correlations.references(parsed) if often[name] > 1]
                if unclear:
                    text = f"several rules have the name it refers to: {', '.join(unclear)}"
                    self._reject(meta.file, meta.id, meta.title["en"], Reason.REFERENCE, text)
                    continue
                try:
                    compiled = correlations.compile_correlation(
                        meta, parsed, known, self._upper.get(meta.file)
                    )
                except UnsupportedError as error:
                    self._reject(
                        meta.file, meta.id, meta.title["en"], Reason.UNSUPPORTED, str(error)
                    )
                    continue
                found.append(compiled)
                known.update((name, meta.id) for name in _names(meta))
            if len(left) == len(waiting):
                break
            waiting = left
        for meta, parsed in waiting:
            missing = [name for name in correlations.references(parsed) if name not in known]
            if missing:
                text = f"it refers to rules that are not there: {', '.join(missing)}"
                self._reject(meta.file, meta.id, meta.title["en"], Reason.REFERENCE, text)
        return found

    def _once(
        self, waiting: list[tuple[Meta, SigmaCorrelationRule]], rules: dict[str, Rule]
    ) -> list[tuple[Meta, SigmaCorrelationRule]]:
        """The correlations by id; what has another rule's id is none."""
        first = {rule.meta.id: rule.meta for rule in rules.values()}
        left = []
        for meta, parsed in sorted(waiting, key=lambda pair: (pair[0].id, pair[0].file)):
            if meta.id in first:
                self._again(meta, first[meta.id])
            else:
                first[meta.id] = meta
                left.append((meta, parsed))
        return left

    def _again(self, meta: Meta, first: Meta) -> None:
        text = f"another rule has its id: {first.file}"
        self._reject(meta.file, meta.id, meta.title["en"], Reason.INVALID, text)

    def _reject(self, where: str, key: str, title: str, reason: Reason, detail: str) -> None:
        rejected = RuleNotRun(rule=key, title=title, reason=reason, detail=f"{where}: {detail}")
        self._rejected.append((where, rejected))


def _names(meta: Meta) -> tuple[str, ...]:
    return (meta.id, meta.name) if meta.name else (meta.id,)


def _is(rule: SigmaRuleBase, names: set[str]) -> bool:
    return str(rule.id) in names or (rule.name or "") in names


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _meta(where: str, rule: SigmaRuleBase, *, output: bool) -> Meta:
    own = rule.custom_attributes.get("opsproof")
    own = own if isinstance(own, dict) else {}
    return Meta(
        id=str(rule.id) if rule.id else where,
        name=rule.name or "",
        title={"en": rule.title, **_texts(own.get("title"))},
        severity=_SEVERITY.get(rule.level or SigmaLevel.MEDIUM, Severity.MEDIUM),
        file=where,
        author=rule.author or "",
        description=" ".join((rule.description or "").split()),
        advice=_texts(own.get("advice")),
        demands=_listed(own, "demands"),
        clauses=_listed(own, "clauses"),
        attack=tuple(
            sorted(tag.name.upper() for tag in rule.tags if _is_technique(tag.namespace, tag.name))
        ),
        references=tuple(map(str, rule.references or ())),
        output=output,
    )


def _listed(own: dict[str, Any], name: str) -> tuple[str, ...]:
    value = own.get(name) or []
    if not isinstance(value, list):
        raise _MetaError(f"opsproof.{name} is no list")
    return tuple(map(str, value))


def _is_technique(namespace: str, name: str) -> bool:
    return namespace == "attack" and name[:1].lower() == "t" and name[1:5].isdigit()


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(key): " ".join(str(text).split()) for key, text in sorted(value.items())}
