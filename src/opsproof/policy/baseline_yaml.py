"""Baseline files (``baselines/*.yml``): strict reading, and writing what reads back the same.

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
name: NAME, type: dword}``, ``{audit: "{guid}"}`` (value: success 1 + failure 2), ``{service:
NAME}`` (value: auto, delayed-auto, demand, disabled), ``{firewall: PROFILE, property: NAME}``.
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
from opsproof.policy.targets import (
    GUID,
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

_TYPE_NAMES = {kind: name for name, kind in TYPES.items()}
_ID = re.compile(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)+")
_WORD = re.compile(r"[a-z][a-z0-9-]*")
_PRIVILEGE = re.compile(r"Se[A-Za-z]+(Privilege|Right)")
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
                _matching(document, (*place, kind), _PRIVILEGE, "a right such as SeTcbPrivilege")
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
    if hive != "HKLM" or not key or key != key.strip("\\"):
        raise YamlError(f"{first!r} is not a key below HKLM", where=document.where(*place))
    name = _at(document, (*place, "name"))
    if not isinstance(name, str):
        raise YamlError("'name' is not text", where=document.where(*place))
    written = _at(document, (*place, "type"))
    if written not in TYPES:
        raise YamlError(
            f"{written!r} is not one of {', '.join(TYPES)}", where=document.where(*place)
        )
    return Registry(RegistryPath("HKLM", key, name), TYPES[written])


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
            return texts
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


def dump(baseline: Baseline) -> str:
    """The file of a baseline; :func:`read` gives the same back."""
    lines = [
        "---",
        f"baseline: {baseline.id}",
        f"title: {_flow_text(baseline.title)}",
        f"releases: {_flow(baseline.releases)}",
        *([f"over: {baseline.over}"] if baseline.over else []),
        "sources:",
    ]
    for source in baseline.sources:
        lines += [
            f"  {source.id}:",
            *_wrapped("    title: ", source.title),
            *_wrapped("    where: ", source.where),
        ]
    lines.append("settings:")
    for setting in baseline.settings:
        lines += _setting_lines(setting)
    return "\n".join(lines) + "\n"


def _setting_lines(setting: Setting) -> list[str]:
    lines = [
        f"  - id: {setting.id}",
        "    title:",
        *_wrapped("      zh: ", setting.title.zh),
        *_wrapped("      en: ", setting.title.en),
        f"    category: {setting.category}",
        "    set:",
        *(
            line
            for key, value in set_of(setting.target).items()
            for line in _wrapped(f"      {key}: ", value)
        ),
        f"    compare: {setting.comparison.value}",
    ]
    if setting.value is not None:
        lines.append(f"    value: {_flow(setting.value)}")
    lines.append(f"    severity: {setting.severity.value}")
    lines.append("    sources:")
    lines += [line for text in setting.sources for line in _wrapped("      - ", text)]
    if setting.releases:
        lines.append(f"    releases: {_flow(setting.releases)}")
    return lines


def set_of(target: Target) -> dict[str, str]:
    """What ``set`` says for a target."""
    match target:
        case SystemAccess(key):
            return {"system_access": key}
        case Right(name):
            return {"right": name}
        case Audit(guid):
            return {"audit": guid}
        case Service(name):
            return {"service": name}
        case Firewall(profile, named):
            return {"firewall": profile.value, "property": named.value}
        case Registry(path, kind):
            return {
                "registry": f"{path.hive}\\{path.key}",
                "name": path.name,
                "type": _TYPE_NAMES[kind],
            }


_WIDTH = 118


def _wrapped(lead: str, text: str) -> list[str]:
    """A scalar, folded at single blanks where it would be longer than a line of ours."""
    line = lead + _scalar(text)
    indent = " " * (len(lead) - len(lead.lstrip()) + 2)
    foldable = line[len(lead) : len(lead) + 1] == "'"
    start, lines = len(lead), []
    while foldable and len(line) > _WIDTH:
        # A fold reads back as one blank, so it must stand for exactly one.
        places = [
            at
            for at in range(start + 1, min(_WIDTH, len(line) - 1))
            if line[at] == " " and " " not in (line[at - 1], line[at + 1]) and at > start
        ]
        if not places:
            break
        lines.append(line[: places[-1]])
        line, start = indent + line[places[-1] + 1 :], len(indent)
    return [*lines, line]


_PLAIN = re.compile(r"[A-Za-z一-鿿][A-Za-z0-9一-鿿，。（）、 _./\\-]*")


def _scalar(text: str) -> str:
    reserved = text.lower() in {"true", "false", "null", "yes", "no", "on", "off"}
    if _PLAIN.fullmatch(text) and not reserved and text == text.strip():
        return text
    if any(ord(char) < 32 or char in "\x7f\x85\u2028\u2029\ufeff" for char in text):
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(_escape(char) for char in escaped) + '"'
    return "'" + text.replace("'", "''") + "'"


def _escape(char: str) -> str:
    unsafe = ord(char) < 32 or char in "\x7f\x85\u2028\u2029\ufeff"
    return f"\\u{ord(char):04x}" if unsafe else char


def _flow(value: Value) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_quoted(text) for text in value) + "]"
    return str(value) if isinstance(value, int) else _quoted(value)


def _quoted(text: str) -> str:
    written = _scalar(text)
    return written if written[:1] in {"'", '"'} else f"'{text}'"


def _flow_text(text: Text) -> str:
    return "{" + f"zh: {_quoted(text.zh)}, en: {_quoted(text.en)}" + "}"
