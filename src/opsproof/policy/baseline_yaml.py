"""Baseline files (``baselines/*.yml``), read strictly; :mod:`opsproof.policy.baseline_write` writes them.

A file::

    baseline: member-server
    title: {zh: 成员服务器, en: Member server}
    releases: ["2016", "2019", "2022"]
    over: other-baseline                      # optional: this file is a layer over that one
    sources:
      nsacyber: {title: ..., where: ...}
    settings:
      - id: HRD-ACC-001
        title: {zh: 密码最短长度, en: Minimum password length}
        category: account-policy
        set: {system_access: MinimumPasswordLength}
        compare: at_least
        value: 14
        severity: medium
        sources: ["nsacyber:GptTmpl.inf [System Access] MinimumPasswordLength"]

``set`` is one of ``{system_access: KEY}``, ``{right: SeX}`` (value: SIDs), ``{registry: KEY,
name: NAME, type: dword}`` (below HKLM, or below HKCU for every user and those to come), ``{audit:
"{guid}"}`` (value: success 1 + failure 2), ``{service: NAME}`` (value: auto, delayed-auto, demand,
disabled), ``{firewall: PROFILE, property: NAME}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opsproof.controls.model import Text
from opsproof.controls.strict_yaml import Document, YamlError, parse
from opsproof.evidence.model import Severity
from opsproof.policy.baseline import Baseline, Comparison, Setting, Source
from opsproof.policy.registry import RegistryPath, RegistryType
from opsproof.policy.security import RIGHT, SID
from opsproof.policy.targets import (
    GUID,
    USER_TYPES,
    Audit,
    Firewall,
    FirewallProperty,
    Profile,
    Registry,
    Right,
    Service,
    StartMode,
    SystemAccess,
    Target,
    Value,
)

TYPES = {
    "sz": RegistryType.SZ,
    "expand_sz": RegistryType.EXPAND_SZ,
    "binary": RegistryType.BINARY,
    "dword": RegistryType.DWORD,
    "multi_sz": RegistryType.MULTI_SZ,
    "qword": RegistryType.QWORD,
}
"""Registry types by their names in a baseline."""


_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")
_WORD = re.compile(r"[a-z][a-z0-9-]*")
_SET_KEYS: dict[str, set[str]] = {
    "system_access": set(),
    "right": set(),
    "registry": {"name", "type"},
    "audit": set(),
    "service": set(),
    "firewall": {"property"},
}
_NEEDED = {"id", "title", "category", "set", "compare", "severity", "sources"}


def load(path: Path) -> Baseline:
    """The baseline of a file.

    Raises:
        YamlError: with file and line.
    """
    if not path.is_file():
        raise YamlError("there is no such baseline", where=str(path))
    return read(path.read_bytes(), name=str(path))


def load_layers(names: Iterable[str], folder: Path) -> list[Baseline]:
    """Baselines by name, each with those that it is a layer over before it, none twice.

    Raises:
        YamlError: with file and line; also for a circle of layers.
    """
    found: dict[str, Baseline] = {}

    def bring(name: str, chain: tuple[str, ...]) -> None:
        if name in found:
            return
        if name in chain:
            raise YamlError(f"{' over '.join((*chain, name))} is a circle", where=str(folder))
        baseline = load(folder / f"{name}.yml")
        if baseline.over:
            bring(baseline.over, (*chain, name))
        found[name] = baseline

    for name in names:
        bring(name, ())
    return list(found.values())


def read(data: bytes, *, name: str) -> Baseline:
    """The baseline of a file's bytes.

    Raises:
        YamlError: with file and line.
    """
    document = parse(data, name)
    raw = _keys(document, (), {"baseline", "title", "releases", "sources", "settings"}, {"over"})
    sources = _sources(document)
    if not isinstance(raw["settings"], list) or not raw["settings"]:
        raise YamlError("'settings' is not a list", where=document.where("settings"))
    known = {source.id for source in sources}
    releases = _texts(document, ("releases",))
    settings = [_setting(document, n, known, releases) for n in range(len(raw["settings"]))]
    _no_twins(document, settings)
    over = raw.get("over", "")
    return Baseline(
        id=_matching(document, ("baseline",), _WORD, "a name such as member-server"),
        title=_both(document, ("title",)),
        releases=releases,
        sources=sources,
        settings=tuple(settings),
        over=_matching(document, ("over",), _WORD, "a baseline's name") if over else "",
    )


Place = tuple[str | int, ...]


def _at(document: Document, place: Place) -> Any:
    value = document.value
    for step in place:
        value = value[step]
    return value


def _keys(document: Document, place: Place, needed: set[str], allowed: set[str]) -> dict[str, Any]:
    value = _at(document, place)
    if not isinstance(value, dict):
        raise YamlError("is not a mapping", where=document.where(*place))
    if missing := sorted(needed - value.keys()):
        raise YamlError(f"lacks {', '.join(missing)}", where=document.where(*place))
    if unknown := sorted(value.keys() - needed - allowed):
        raise YamlError(
            f"has the unknown key {unknown[0]!r}", where=document.where(*place, unknown[0])
        )
    return value


def _text(document: Document, place: Place) -> str:
    value = _at(document, place)
    if not isinstance(value, str) or not value.strip():
        raise YamlError(f"{place[-1]!r} is not text", where=document.where(*place))
    return value


def _texts(document: Document, place: Place) -> tuple[str, ...]:
    value = _at(document, place)
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise YamlError(f"{place[-1]!r} is not a list of texts", where=document.where(*place))
    return tuple(value)


def _both(document: Document, place: Place) -> Text:
    _keys(document, place, {"zh", "en"}, set())
    return Text(_text(document, (*place, "zh")), _text(document, (*place, "en")))


def _matching(document: Document, place: Place, pattern: re.Pattern[str], what: str) -> str:
    value = _at(document, place)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise YamlError(f"{value!r} is not {what}", where=document.where(*place))
    return value


def _sources(document: Document) -> tuple[Source, ...]:
    raw = _at(document, ("sources",))
    if not isinstance(raw, dict) or not raw:
        raise YamlError("'sources' is not a mapping", where=document.where("sources"))
    found = []
    for key in raw:
        _keys(document, ("sources", key), {"title", "where"}, set())
        title = _text(document, ("sources", key, "title"))
        found.append(Source(key, title, _text(document, ("sources", key, "where"))))
    return tuple(found)


def _setting(
    document: Document, number: int, sources: set[str], releases: tuple[str, ...]
) -> Setting:
    place: Place = ("settings", number)
    raw = _keys(document, place, _NEEDED, {"value", "releases"})
    cited = _texts(document, (*place, "sources"))
    if not cited:
        raise YamlError("cites no source", where=document.where(*place, "sources"))
    for text in cited:
        if text.partition(":")[0] not in sources or not text.partition(":")[2]:
            raise YamlError(
                f"{text!r} is not one of the file's sources and a place in it",
                where=document.where(*place, "sources"),
            )
    own = _texts(document, (*place, "releases")) if "releases" in raw else ()
    if not set(own) <= set(releases):
        raise YamlError("releases are not the baseline's", where=document.where(*place, "releases"))
    comparison = _choice(document, (*place, "compare"), Comparison)
    target = _target(document, (*place, "set"))
    return Setting(
        id=_matching(document, (*place, "id"), _ID, "an id such as HRD-ACC-001"),
        title=_both(document, (*place, "title")),
        category=_matching(document, (*place, "category"), _WORD, "a category"),
        target=target,
        comparison=comparison,
        value=_value(document, place, target, comparison),
        severity=_choice(document, (*place, "severity"), Severity),
        sources=cited,
        releases=own,
    )


def _choice(document: Document, place: Place, choices: Any) -> Any:
    value = _at(document, place)
    try:
        return choices(value)
    except ValueError as error:
        raise YamlError(
            f"{value!r} is not one of {', '.join(choices)}", where=document.where(*place)
        ) from error


def _target(document: Document, place: Place) -> Target:
    raw = _at(document, place)
    kind = next(iter(raw), "") if isinstance(raw, dict) else ""
    if kind not in _SET_KEYS:
        raise YamlError(
            "sets nothing that is known", where=document.where(*place), remedy=f"{[*_SET_KEYS]}"
        )
    _keys(document, place, {kind} | _SET_KEYS[kind], set())
    first = _text(document, (*place, kind))
    match kind:
        case "system_access":
            return SystemAccess(first)
        case "right":
            return Right(
                _matching(document, (*place, kind), RIGHT, "a right such as SeTcbPrivilege")
            )
        case "audit":
            return Audit(_matching(document, (*place, kind), GUID, "a GUID in braces, lower case"))
        case "service":
            return Service(first)
        case "firewall":
            return Firewall(
                _choice(document, (*place, kind), Profile),
                _choice(document, (*place, "property"), FirewallProperty),
            )
    hive, _, key = first.partition("\\")
    if hive not in {"HKLM", "HKCU"} or not key or key != key.strip("\\"):
        raise YamlError(f"{first!r} is not a key below HKLM or HKCU", where=document.where(*place))
    name = _at(document, (*place, "name"))
    if not isinstance(name, str):
        raise YamlError("'name' is not text", where=document.where(*place))
    written = _at(document, (*place, "type"))
    if written not in TYPES:
        raise YamlError(
            f"{written!r} is not one of {', '.join(TYPES)}", where=document.where(*place)
        )
    if hive == "HKCU" and TYPES[written] not in USER_TYPES:
        raise YamlError("a user's value is a text or a number", where=document.where(*place))
    return Registry(RegistryPath(hive, key, name), TYPES[written])


def _value(
    document: Document, place: Place, target: Target, comparison: Comparison
) -> Value | None:
    where = document.where(*place, "value")
    there = "value" in _at(document, place)
    if comparison is Comparison.ABSENT:
        if there or not isinstance(target, Registry):
            raise YamlError("'absent' is for registry values and has no value", where=where)
        return None
    if not there:
        raise YamlError("lacks value", where=document.where(*place))
    users = isinstance(target, Registry) and target.path.hive == "HKCU"
    if users and comparison is not Comparison.EQUAL:
        # Users may differ, and then there is no one value to be more or less than another.
        raise YamlError("a user's value is compared by equal or absent", where=where)
    raw = _at(document, (*place, "value"))
    value = tuple(raw) if isinstance(raw, list) else raw
    if not _fits(target, value):
        raise YamlError(f"{raw!r} is no value for {target}", where=where)
    numeric = comparison in {Comparison.AT_LEAST, Comparison.AT_MOST_NOT_ZERO}
    if numeric and not isinstance(value, int):
        raise YamlError(f"{comparison.value} compares numbers", where=where)
    fitting: Value = value
    return fitting


def _fits(target: Target, value: Any) -> bool:
    number = isinstance(value, int) and not isinstance(value, bool)
    texts = isinstance(value, tuple) and all(isinstance(text, str) for text in value)
    match target:
        case SystemAccess(key):
            named = key.lower() in {"newadministratorname", "newguestname"}
            return isinstance(value, str) and bool(value) if named else number
        case Right():
            return texts and all(SID.fullmatch(text) for text in value)
        case Audit():
            return number and value in range(4)
        case Service():
            return value in list(StartMode)
        case Firewall():
            return number and value >= 0
        case Registry(_, kind):
            if kind in {RegistryType.DWORD, RegistryType.QWORD}:
                return number and 0 <= value < 2 ** (32 if kind is RegistryType.DWORD else 64)
            return texts if kind is RegistryType.MULTI_SZ else isinstance(value, str)


def _no_twins(document: Document, settings: list[Setting]) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for number, setting in enumerate(settings):
        for key in (("id", setting.id), ("target", *setting.target.folded)):
            if key in seen:
                raise YamlError(
                    f"{setting.id}: setting {settings[seen[key]].id} has the same {key[0]}",
                    where=document.where("settings", number),
                )
            seen[key] = number
