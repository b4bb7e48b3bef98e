"""A slow and obvious reading of the Sigma specification: the other way to the same answer.

It shares nothing with the engine: no pySigma, no atoms, no compiled form. One rule (a mapping as
YAML gives it), one event (a mapping of texts), yes or no. Text is compared the way the
specification says it, by a regular expression made from each value.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from datetime import datetime
from typing import Any

Event = dict[str, str]

_TIME_PARTS = ("minute", "hour", "day", "week", "month", "year")


def matches(detection: dict[str, Any], event: Event) -> bool:
    """Whether the event fulfils the condition of a rule's ``detection`` section."""
    names = [name for name in detection if name != "condition"]
    truth = {name: _selection(detection[name], event) for name in names}
    return bool(_condition(detection["condition"].split(), truth))


def _condition(words: list[str], truth: dict[str, bool]) -> bool:
    """``not`` binds more than ``and``, that more than ``or``; no parentheses needed here."""
    if "or" in words:
        at = words.index("or")
        left, right = words[:at], words[at + 1 :]
        return _condition(left, truth) or _condition(right, truth)
    if "and" in words:
        at = words.index("and")
        return _condition(words[:at], truth) and _condition(words[at + 1 :], truth)
    if words[0] == "not":
        return not _condition(words[1:], truth)
    if len(words) == 3 and words[1] == "of":
        pattern = ".*" if words[2] == "them" else words[2].replace("*", ".*")
        chosen = [truth[name] for name in truth if re.fullmatch(pattern, name)]
        return all(chosen) if words[0] == "all" else any(chosen)
    (name,) = words
    return truth[name]


def _selection(selection: Any, event: Event) -> bool:
    if isinstance(selection, dict):
        return all(_item(key, value, event) for key, value in selection.items())
    if isinstance(selection, list) and any(isinstance(one, dict) for one in selection):
        return any(_selection(one, event) for one in selection)
    values = selection if isinstance(selection, list) else [selection]
    text = "\n".join(event.values())
    return any(_text(str(value), text, ".*", ".*", cased=False) for value in values)


def _item(key: str, value: Any, event: Event) -> bool:
    name, *modifiers = key.split("|")
    lowered = {field.lower(): text for field, text in event.items()}
    found = lowered.get(name.lower())
    if not name:
        # Keywords with modifiers: anywhere in the record's text.
        found, modifiers = "\n".join(event.values()), [*modifiers, "contains"]
    values = value if isinstance(value, list) else [value]
    results = [_value(found, one, modifiers, lowered) for one in values]
    result = all(results) if "all" in modifiers else any(results)
    return not result if "neq" in modifiers else result


def _value(found: str | None, value: Any, modifiers: list[str], event: Event) -> bool:
    if "exists" in modifiers:
        return (found is not None) is value
    if value is None:
        return found in (None, "", "-")
    if found is None:
        return False
    if "fieldref" in modifiers:
        other = event.get(value.lower())
        return other is not None and _reference(found.lower(), other.lower(), modifiers)
    if "re" in modifiers:
        flags = sum(
            flag
            for name, flag in (("i", re.IGNORECASE), ("m", re.MULTILINE), ("s", re.DOTALL))
            if name in modifiers
        )
        return re.search(value, found, flags) is not None
    if "cidr" in modifiers:
        return _inside(found, value)
    for name in ("lt", "lte", "gt", "gte"):
        if name in modifiers:
            return _compares(found, name, value)
    for name in _TIME_PARTS:
        if name in modifiers:
            return bool(_time_part(found, name) == value)
    front = ".*" if "contains" in modifiers or "endswith" in modifiers else ""
    back = ".*" if "contains" in modifiers or "startswith" in modifiers else ""
    return any(
        _text(one, found, front, back, cased="cased" in modifiers)
        for one in _expanded(str(value), modifiers)
    )


def _time_part(text: str, name: str) -> int | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    found: int = when.isocalendar().week if name == "week" else getattr(when, name)
    return found


def _reference(text: str, other: str, modifiers: list[str]) -> bool:
    if "contains" in modifiers:
        return other in text
    if "startswith" in modifiers:
        return text.startswith(other)
    return text.endswith(other) if "endswith" in modifiers else text == other


def _inside(text: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _compares(text: str, name: str, limit: int) -> bool:
    try:
        number = int(text)
    except ValueError:
        return False
    return {
        "lt": number < limit,
        "lte": number <= limit,
        "gt": number > limit,
        "gte": number >= limit,
    }[name]


def _expanded(value: str, modifiers: list[str]) -> list[str]:
    """The texts that base64, base64offset and windash make of one value."""
    data = _bytes(value, modifiers)
    if "base64" in modifiers:
        return [base64.b64encode(data).decode()]
    if "base64offset" in modifiers:
        shifted = []
        for offset in range(3):
            encoded = base64.b64encode(b" " * offset + data).decode()
            tail = (len(data) + offset) % 3
            end = {0: len(encoded), 1: -3, 2: -2}[tail]
            shifted.append(encoded[{0: 0, 1: 2, 2: 3}[offset] : end])
        return shifted
    if "windash" in modifiers:
        variants = [""]
        for at, character in enumerate(value):
            before = value[at - 1] if at else " "
            after = value[at + 1 : at + 2]
            dash = character in "-/" and not _word(before) and bool(after) and _word(after)
            choices = "-/\u2013\u2014\u2015" if dash else character
            variants = [variant + choice for variant in variants for choice in choices]
        return variants
    return [value]


def _bytes(value: str, modifiers: list[str]) -> bytes:
    """What is encoded; ``utf16`` begins with a byte-order mark."""
    codecs = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be"}
    if "utf16" in modifiers:
        return b"\xff\xfe" + value.encode("utf-16-le")
    return value.encode(next((codecs[name] for name in modifiers if name in codecs), "utf-8"))


def _word(character: str) -> bool:
    return re.fullmatch(r"\w", character) is not None


def _text(pattern: str, text: str, front: str, back: str, *, cased: bool) -> bool:
    """Wildcards, and the escapes ``\\*``, ``\\?`` and ``\\\\``, as the specification defines them."""
    made = ""
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and pattern[at + 1 : at + 2] in {"*", "?", "\\"}:
            made += re.escape(pattern[at + 1])
            at += 1
        elif character == "*":
            made += ".*"
        elif character == "?":
            made += "."
        else:
            made += re.escape(character)
        at += 1
    return (
        re.fullmatch(front + made + back, text, re.DOTALL if cased else re.DOTALL | re.IGNORECASE)
        is not None
    )
