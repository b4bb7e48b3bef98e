"""Puts a control's test and what decided it into words, in one language.

``expected`` is the control's condition and ``observed`` the facts by path, as
:mod:`opsproof.controls.conditions` writes them. Names of facts come from ``data/facts.yml``; a
fact that has none is printed by its key.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from opsproof.evidence.model import Finding, Json, State
from opsproof.reports.labels import Labels, catalogue, labels
from opsproof.reports.model import LANGUAGES, Bilingual

_SHOWN = 4
_IDENTITY = (
    "name", "letter", "channel", "provider", "display_name", "account", "thumbprint", "title",
)  # fmt: skip
_OWN_LANGUAGE = {"zh-CN": ("title_zh",)}
_LISTS = ("every", "some", "none")
_COMBINED = ("all", "any", "not")
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


class FactName(msgspec.Struct, frozen=True):
    """What a fact is called, and the unit of its number (a key ``unit.*`` of the labels).

    ``words`` are stems of labels that put its codes into words: ``patch.result`` for ``patch.result.*``.
    """

    zh: str = msgspec.field(name="zh-CN")
    en: str
    unit: str = ""
    words: tuple[str, ...] = ()


@cache
def fact_names() -> dict[str, FactName]:
    """The catalogue of facts: last key of the path to names."""
    text = (files("opsproof.reports") / "data" / "facts.yml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), dict[str, FactName])


def threshold(finding: Finding) -> Bilingual:
    """The column Threshold: the condition that must hold."""
    return {tag: _Words(labels(tag)).condition(finding.expected) for tag in LANGUAGES}


def measured(finding: Finding, state: State) -> Bilingual:
    """The column Measured: what was seen; for lists the offending elements."""
    return {tag: _measured(_Words(labels(tag)), finding, state) for tag in LANGUAGES}


def setting_demand(expected: Json) -> Bilingual:
    """What a setting must be, without saying that it must be set."""
    parts = expected.get("all") if isinstance(expected, dict) else None
    if isinstance(parts, list) and len(parts) > 1:
        rest = [part for part in parts if not _is_there(part)]
        expected = rest[0] if len(rest) == 1 else {"all": rest}
    return {tag: _Words(labels(tag)).condition(expected) for tag in LANGUAGES}


def _is_there(part: Json) -> bool:
    path = part.get("path") if isinstance(part, dict) else None
    return isinstance(path, str) and path.endswith(".present") and part.get("equals") is True


def words_of(value: Json) -> Bilingual:
    """A value of a setting in words; None is a setting that is not there."""
    return {
        tag: labels(tag)("settings.absent")
        if value is None
        else _Words(labels(tag)).scalar(value, "")
        for tag in LANGUAGES
    }


def setting_value(observed: Json) -> Json:
    """The value among what a finding of a setting observed, None when the setting is not there.

    A finding of the run itself, such as what a host took back, observes one fact of another name.
    """
    if not isinstance(observed, dict):
        return observed
    by_key = {path.rpartition(".")[2]: value for path, value in observed.items()}
    if len(by_key) == 1 and not by_key.keys() & {"present", "value"}:
        return next(iter(by_key.values()))
    if by_key.get("present") is False:
        return None
    return by_key.get("value", by_key.get("present"))


def paths(condition: Json) -> Iterator[str]:
    """The paths of facts that a condition starts from, without those inside elements."""
    if not isinstance(condition, dict):
        return
    if isinstance(condition.get("path"), str):
        yield condition["path"]
    for word in _LISTS:
        if isinstance(condition.get(word), str):
            yield condition[word]
    for word in _COMBINED:
        for part in _parts(condition.get(word)):
            yield from paths(part)


def _measured(words: _Words, finding: Finding, state: State) -> str:
    if state is State.NOT_COLLECTED:
        return words.label("wording.not-collected")
    if state is State.ERROR:
        return words.label("wording.error")
    text = words.facts(finding.expected, finding.observed)
    if finding.waiver:
        return words.label("wording.waiver", measured=text)
    return text


class _Words:
    """One language's wording of conditions and facts."""

    def __init__(self, label: Labels) -> None:
        self.label = label

    def condition(self, value: Json) -> str:
        if not isinstance(value, dict):
            return self.scalar(value, "")
        if (bounds := _bounds(value)) is not None:
            path, low, high = bounds
            return self.label(
                "wording.range",
                fact=self.fact(path),
                low=self.scalar(low, path),
                high=self.scalar(high, path),
            )
        for word in _COMBINED:
            if word in value:
                parts = [self.condition(part) for part in _parts(value[word])]
                if word == "not":
                    return self.label("wording.not", inner=parts[0])
                return self.label(f"wording.{word}").join(parts)
        for word in _LISTS:
            if word in value:
                return self._quantified(word, value)
        path = str(value.get("path", ""))
        return self.label("wording.all").join(
            self._compared(path, operator, wanted)
            for operator, wanted in value.items()
            if operator != "path"
        )

    def _quantified(self, word: str, value: dict[str, Any]) -> str:
        where, holds = value.get("where"), value.get("holds")
        form = ".where" if where else ""
        if where and _says_nothing(holds):
            form = ".bare"
        return self.label(
            f"wording.{word}{form}",
            fact=self.fact(value[word]),
            inner=self.condition(holds),
            where=self.condition(where) if where else "",
        )

    def _compared(self, path: str, operator: str, wanted: Json) -> str:
        key = f"wording.{operator}"
        if operator == "empty":
            key += ".yes" if wanted else ".no"
        elif operator in ("present", "absent") and not wanted:
            key = "wording.absent" if operator == "present" else "wording.present"
        return self.label(key, fact=self.fact(path), value=self.scalar(wanted, path)).strip()

    def facts(self, condition: Json, observed: Json) -> str:
        """What was seen, path by path. ``condition`` says which of an element's facts matter."""
        if not isinstance(observed, dict):
            return self.scalar(observed, "")
        inner = dict(_inside(condition))
        return self.label("wording.all").join(
            self._seen(path, value, inner.get(path)) for path, value in observed.items()
        )

    def _seen(self, path: str, value: Json, holds: Json) -> str:
        if isinstance(value, dict) and {"elements", "offending", "shown"} <= value.keys():
            if not value["offending"]:
                return self.label("wording.offending.none", elements=value["elements"])
            return self.label(
                "wording.offending",
                elements=value["elements"],
                offending=value["offending"],
                shown=self._elements(value["shown"], value["offending"], holds),
            )
        if isinstance(value, list) and value and isinstance(value[0], dict):
            shown = self._elements(value, len(value), None)
            return self.label("wording.found", offending=len(value), shown=shown)
        text = self.scalar(value, path)
        return f"{self.fact(path)}{self.label('separator.pair')}{text}"

    def _elements(self, elements: list[Json], total: int, holds: Json) -> str:
        texts = [self._element(element, holds) for element in elements[:_SHOWN]]
        if total > len(texts):
            texts.append(self.label("value.more", count=total))
        return self.label("separator.list").join(texts)

    def _element(self, element: Json, holds: Json) -> str:
        if not isinstance(element, dict):
            return self.scalar(element, "")
        keys = (*_OWN_LANGUAGE.get(self.label.language, ()), *_IDENTITY)
        name = next((element[key] for key in keys if _is_name(element.get(key))), "")
        details = [
            f"{self.fact(path)} {self.scalar(element[path], path)}"
            for path in dict.fromkeys(paths(holds))
            if path in element and path not in _IDENTITY
        ]
        if element.get("record_id") is not None:
            details.append(self.label("wording.record", record=element["record_id"]))
        if element.get("hits") is not None:
            details.append(self.label("wording.hits", hits=element["hits"]))
        shown = self.label("separator.pair") if name and details else ""
        return f"{name}{shown}{self.label('separator.clause').join(details)}" or self.scalar(
            element, ""
        )

    def fact(self, path: str) -> str:
        """The name of a fact; its key where the catalogue has none, nothing for the value itself."""
        key = path.rpartition(".")[2]
        name = fact_names().get(key)
        if name is None:
            return key
        return name.zh if self.label.language == "zh-CN" else name.en

    def scalar(self, value: Json, path: str) -> str:
        """A value with the unit of its fact."""
        if value is None:
            return self.label("value.unknown")
        if isinstance(value, bool):
            return self.label("value.yes" if value else "value.no")
        if isinstance(value, list):
            shown = [self.scalar(item, path) for item in value[:_SHOWN]]
            if len(value) > _SHOWN:
                shown.append(self.label("value.more", count=len(value)))
            return self.label("separator.list").join(shown) or self.label("value.none")
        if isinstance(value, dict):
            pairs = (f"{self.fact(key)} {self.scalar(item, key)}" for key, item in value.items())
            return self.label("separator.list").join(pairs) or self.label("value.none")
        name = fact_names().get(path.rpartition(".")[2])
        if name is not None and name.unit and isinstance(value, int):
            return self._measure(value, name.unit)
        for stem in name.words if name is not None else ():
            if f"{stem}.{value}" in catalogue():
                return self.label(f"{stem}.{value}")
        return str(value)

    def _measure(self, value: int, unit: str) -> str:
        if unit == "millisecond" and value and value % 1000 == 0:
            value, unit = value // 1000, "second"
        if unit != "second":
            return self.label(f"unit.{unit}", value=value)
        first, *more = (
            self.label(f"unit.{name}", value=count) for name, count in _duration(abs(value))
        )
        text = self.label("wording.and", first=first, second=more[0]) if more else first
        return f"-{text}" if value < 0 else text


def _says_nothing(holds: Json) -> bool:
    """Whether a condition only names facts to show, which every element has."""
    if not isinstance(holds, dict):
        return False
    parts = _parts(holds.get("all"))
    return holds.get("present") is True or (bool(parts) and all(map(_says_nothing, parts)))


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and bool(value)


def _duration(seconds: int) -> list[tuple[str, int]]:
    """The two largest units of a duration that are not zero, the rest cut; nobody reads 7776000 s."""
    parts = []
    for name, length in _UNITS:
        count, seconds = divmod(seconds, length)
        parts.append((name, count))
    first = next((i for i, (_, count) in enumerate(parts) if count), len(parts) - 1)
    two = parts[first : first + 2]
    return [part for part in two if part[1]] or two[:1]


def _inside(condition: Json) -> Iterator[tuple[str, Json]]:
    """List path to the condition on its elements, for every quantifier."""
    if not isinstance(condition, dict):
        return
    for word in _LISTS:
        if isinstance(condition.get(word), str):
            yield condition[word], condition.get("holds")
    for word in _COMBINED:
        for part in _parts(condition.get(word)):
            yield from _inside(part)


def _bounds(condition: dict[str, Any]) -> tuple[str, Json, Json] | None:
    """Path, least and greatest value of a condition that holds one fact between two."""
    parts = _parts(condition.get("all"))
    if len(parts) != 2 or len({part.get("path") for part in parts}) != 1:
        return None
    merged = parts[0] | parts[1]
    if merged.keys() != {"path", "at_least", "at_most"}:
        return None
    return merged["path"], merged["at_least"], merged["at_most"]


def _parts(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
