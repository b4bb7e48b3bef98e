"""Writing baseline files so that :func:`opsproof.policy.baseline_yaml.read` gives the same back."""

from __future__ import annotations

import re

from opsproof.controls.model import Text
from opsproof.policy.baseline import Baseline, Setting
from opsproof.policy.baseline_yaml import TYPES
from opsproof.policy.targets import (
    Audit,
    Firewall,
    Registry,
    Right,
    Service,
    SystemAccess,
    Target,
    Value,
)

_TYPE_NAMES = {kind: name for name, kind in TYPES.items()}


def dump(baseline: Baseline) -> str:
    """The file of a baseline."""
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
