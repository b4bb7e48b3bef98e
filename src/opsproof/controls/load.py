"""Reading ``controls/*.yml``. Strict: an unknown key or a wrong type is an error with file and line.

A file holds one activity; ``owner_remedy`` stands for a control's own where its owner is there::

    activity: inspection
    owner_remedy: {zh: "... {owner} ...", en: ...}         # needed by controls with an owner
    controls:
      - id: INS-DISK-001
        title: {zh: 磁盘剩余空间不低于 10%, en: At least 10 % of every disk is free}
        remedy: {zh: ..., en: ...}
        subject: host
        severity: high
        demands: [B-1, C-1]
        clauses:
          - {id: "gbt22239-2019:8.1.7.5.a", reviewed: false}
        applies: {path: disks, present: true}          # optional
        owner: policy.gpo                              # optional: a fact that names who decides
        test: {every: disks, holds: {path: free_percent, at_least: 10}}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from opsproof.controls.conditions import (
    OPERATORS,
    PRESENCE,
    Combined,
    Compare,
    Condition,
    Quantified,
)
from opsproof.controls.model import Clause, Control, Owner, Text
from opsproof.controls.strict_yaml import Document, YamlError, parse
from opsproof.evidence.model import Json, Severity, SubjectKind

_CONTROL_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")
_DEMAND_ID = re.compile(r"[A-F]-[0-9]+(\.[0-9]+)?")
_CLAUSE_ID = re.compile(r"[a-z][a-z0-9-]*:[A-Za-z0-9.]+")
_PATH = re.compile(r"\.|[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_NEEDED = frozenset({"id", "title", "remedy", "subject", "severity", "demands", "clauses", "test"})
_QUANTIFIERS = ("every", "some", "none")

E = TypeVar("E", bound=StrEnum)
Place = tuple[str | int, ...]


def load(folder: Path) -> list[Control]:
    """All controls of a folder, sorted by id.

    Raises:
        YamlError: naming file and line, or the id that two controls share.
    """
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.yml"))}
    if not files:
        raise YamlError("holds no controls", where=str(folder))
    return parse_controls(files, where=str(folder))


def parse_controls(files: Mapping[str, bytes], *, where: str = "controls") -> list[Control]:
    """Controls from ``file name -> bytes``, sorted by id: how a bundle's copies are read.

    Raises:
        YamlError: as :func:`load`.
    """
    seen: dict[str, str] = {}
    controls: list[Control] = []
    for name in sorted(files):
        document = parse(files[name], f"{where}/{name}")
        for place, control in _controls(document):
            if first := seen.get(control.id):
                raise YamlError(
                    f"the control id {control.id} is used in {first} already",
                    where=document.where(*place),
                )
            seen[control.id] = document.where(*place)
            controls.append(control)
    return sorted(controls, key=lambda control: control.id)


def _controls(document: Document) -> Iterable[tuple[Place, Control]]:
    top = _keys(document, (), needed={"activity", "controls"}, allowed={"owner_remedy"})
    activity = _text(document, ("activity",))
    if not isinstance(top["controls"], list) or not top["controls"]:
        raise YamlError("'controls' is not a list of controls", where=document.where("controls"))
    for number in range(len(top["controls"])):
        place: Place = ("controls", number)
        yield place, _control(document, place, activity)


def _control(document: Document, place: Place, activity: str) -> Control:
    raw = _keys(document, place, needed=_NEEDED, allowed={"applies", "owner"})
    return Control(
        id=_matching(document, (*place, "id"), _CONTROL_ID, "a control id such as INS-DISK-001"),
        title=_both(document, (*place, "title")),
        remedy=_both(document, (*place, "remedy")),
        activity=activity,
        subject=_one_of(document, (*place, "subject"), SubjectKind),
        severity=_one_of(document, (*place, "severity"), Severity),
        demands=tuple(
            _matching(document, (*place, "demands", n), _DEMAND_ID, "a demand id such as B-1")
            for n in range(len(_list(document, (*place, "demands"))))
        ),
        clauses=tuple(
            _clause(document, (*place, "clauses", n))
            for n in range(len(_list(document, (*place, "clauses"))))
        ),
        applies=_condition(document, (*place, "applies")) if "applies" in raw else None,
        test=_condition(document, (*place, "test")),
        owner=_owner(document, (*place, "owner")) if "owner" in raw else None,
    )


def _owner(document: Document, place: Place) -> Owner:
    if "owner_remedy" not in document.value:
        raise YamlError(
            "has an owner and the file no remedy for owners",
            where=document.where(*place),
            remedy="add owner_remedy beside activity",
        )
    remedy = _both(document, ("owner_remedy",))
    for language, text in (("zh", remedy.zh), ("en", remedy.en)):
        if "{owner}" not in text:
            raise YamlError(
                "does not name the owner",
                where=document.where("owner_remedy", language),
                remedy="write {owner} where the name belongs",
            )
    return Owner(_path(document, place), remedy)


def _clause(document: Document, place: Place) -> Clause:
    raw = _keys(document, place, needed={"id", "reviewed"}, allowed={"reviewer"})
    name = _matching(document, (*place, "id"), _CLAUSE_ID, "a clause id such as gbt22239-2019:8.1")
    reviewed, reviewer = raw["reviewed"], raw.get("reviewer")
    if not isinstance(reviewed, bool) or not (reviewer is None or isinstance(reviewer, str)):
        raise YamlError("'reviewed' is not true or false", where=document.where(*place))
    if reviewed and not reviewer:
        raise YamlError("a reviewed clause names its reviewer", where=document.where(*place))
    return Clause(name, reviewed, reviewer)


def _condition(document: Document, place: Place) -> Condition:
    raw = _value(document, place)
    where = document.where(*place)
    if not isinstance(raw, dict):
        raise YamlError("is not a condition", where=where)
    for word in ("all", "any", "not"):
        if word in raw:
            return _combined(document, place, word)
    for word in _QUANTIFIERS:
        if word in raw:
            return _quantified(document, place, word)
    if "path" not in raw or len(raw) != 2:
        raise YamlError(
            f"{sorted(raw)} is not a condition",
            where=where,
            remedy="path and one operator, or all, any, not, every, some, none",
        )
    operator = next(key for key in raw if key != "path")
    return Compare(_path(document, (*place, "path")), operator, _operand(document, place, operator))


def _combined(document: Document, place: Place, word: str) -> Condition:
    _keys(document, place, needed={word})
    if word == "not":
        return Combined(word, (_condition(document, (*place, word)),))
    parts = _list(document, (*place, word))
    if not parts:
        raise YamlError(f"{word!r} is empty", where=document.where(*place, word))
    inner = (_condition(document, (*place, word, n)) for n in range(len(parts)))
    return Combined(word, tuple(inner))


def _quantified(document: Document, place: Place, word: str) -> Condition:
    raw = _keys(document, place, needed={word, "holds"}, allowed={"where", "least"})
    least = raw.get("least", 1 if word == "every" else 0)
    if not isinstance(least, int) or isinstance(least, bool) or least < 0:
        raise YamlError("'least' is not a number of elements", where=document.where(*place))
    return Quantified(
        word,
        _path(document, (*place, word)),
        _condition(document, (*place, "where")) if "where" in raw else None,
        _condition(document, (*place, "holds")),
        least,
    )


def _operand(document: Document, place: Place, operator: str) -> Json:
    value = _value(document, (*place, operator))
    good = {
        **dict.fromkeys((*PRESENCE, "empty"), isinstance(value, bool)),
        **dict.fromkeys(
            ("at_least", "at_most"), isinstance(value, int) and not isinstance(value, bool)
        ),
        "one_of": isinstance(value, list) and bool(value),
        **dict.fromkeys(("equals", "not_equals", "contains"), value is not None),
    }
    if operator not in good:
        known = ", ".join([*OPERATORS, *PRESENCE])
        raise YamlError(
            f"the operator {operator!r} does not exist",
            where=document.where(*place, operator),
            remedy=f"use one of {known}",
        )
    if not good[operator]:
        raise YamlError(
            f"{value!r} is no value for {operator!r}", where=document.where(*place, operator)
        )
    return value


def _path(document: Document, place: Place) -> str:
    return _matching(document, place, _PATH, "a path of facts such as memory.free_percent")


def _value(document: Document, place: Place) -> Any:
    value = document.value
    for step in place:
        value = value[step]
    return value


def _keys(
    document: Document, place: Place, *, needed: Iterable[str], allowed: Iterable[str] = ()
) -> dict[str, Any]:
    value = _value(document, place)
    where = document.where(*place)
    if not isinstance(value, dict):
        raise YamlError("is not a mapping", where=where)
    wanted = set(needed)
    if missing := sorted(wanted - value.keys()):
        raise YamlError(f"lacks {', '.join(missing)}", where=where)
    if unknown := sorted(value.keys() - wanted - set(allowed)):
        raise YamlError(
            f"has the unknown key {unknown[0]!r}", where=document.where(*place, unknown[0])
        )
    return value


def _list(document: Document, place: Place) -> list[Any]:
    value = _value(document, place)
    if not isinstance(value, list):
        raise YamlError(f"{place[-1]!r} is not a list", where=document.where(*place))
    return value


def _text(document: Document, place: Place) -> str:
    value = _value(document, place)
    if not isinstance(value, str) or not value.strip():
        raise YamlError(f"{place[-1]!r} is not text", where=document.where(*place))
    return value


def _both(document: Document, place: Place) -> Text:
    _keys(document, place, needed={"zh", "en"})
    return Text(_text(document, (*place, "zh")), _text(document, (*place, "en")))


def _matching(document: Document, place: Place, pattern: re.Pattern[str], what: str) -> str:
    value = _value(document, place)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise YamlError(f"{value!r} is not {what}", where=document.where(*place))
    return value


def _one_of(document: Document, place: Place, choices: type[E]) -> E:
    value = _value(document, place)
    try:
        return choices(value)
    except ValueError as error:
        known = ", ".join(choices)
        raise YamlError(f"{value!r} is not one of {known}", where=document.where(*place)) from error
