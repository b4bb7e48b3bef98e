"""What all web logs share: names of fields, derived fields, the ways to read a URL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from opsproof.logs.readers.base import KIND
from opsproof.logs.table import RAW

_HEADER: Final = re.compile(r"(cs|sc)\((.+)\)")
_SITE: Final = re.compile(r"W3SVC\d+", re.IGNORECASE)
_WIDE: Final = re.compile(r"%[uU]([0-9a-fA-F]{4})")
_BLANKS: Final = re.compile(r"[\s\0\ufffd]+")
_COMMENT: Final = re.compile(r"(/\*(?:!\d*)?|\*/)")
_DEEPEST: Final = 4
"""Times that a value is decoded: no application does it as often."""

URL_FIELDS: Final = (
    "cs-uri-stem",
    "cs-uri-query",
    "c-uri",
    "cs-uri",
    "cs-referer",
    "cs-user-agent",
    "c-useragent",
    "cs-cookie",
    RAW,
)


NUMBERS: Final = frozenset(
    {
        *("date", "time", "time-taken", "s-port", "c-port", "s-siteid", "cs-bytes", "sc-bytes"),
        *("sc-status", "sc-substatus", "sc-win32-status", "streamid", "s-event"),
    }
)
"""Fields without text: keyword searches pass them by."""


@lru_cache(maxsize=1000)
def field_name(written: str) -> str:
    """The name that Sigma rules use: ``cs(User-Agent)`` is ``cs-user-agent``."""
    match = _HEADER.fullmatch(written)
    return (f"{match[1]}-{match[2]}" if match else written).lower()


def readings(value: str) -> tuple[str, ...]:
    """A URL part as it stands, decoded once, and as the most careless application takes it.

    Each reading once. A rule that names an encoded form finds it in the first two; the last undoes
    what is written to get past rules: codes of codes, ``%u0075`` of classic ASP and ASP.NET, a stray
    ``%`` (classic ASP drops it), ``+``, and white space, NUL, bytes that are no UTF-8 or a comment of
    SQL where one blank would do. Who writes comments may hide in them: there is a reading with what
    stands in them, too.
    """
    if "%" not in value:
        if "+" not in value and "/*" not in value:
            return (value,)
        once = last = value
    else:
        once = last = unquote(value)
        if "%" in once:
            last = _decoded(once)
    last = last.replace("+", " ")
    if "/*" in last:
        lasts = (_spaced(_uncommented(last)), _spaced(_COMMENT.sub(" ", last)))
        return tuple(dict.fromkeys((value, once, *lasts)))
    return tuple(dict.fromkeys((value, once, _spaced(last))))


def _spaced(text: str) -> str:
    """One blank for whatever white space stands side by side."""
    if "  " in text or "\ufffd" in text or not text.isprintable():
        return _BLANKS.sub(" ", text)
    return text


def _decoded(once: str) -> str:
    """What is left when nothing can be decoded any more, or has been :data:`_DEEPEST` times."""
    text = once
    for _ in range(_DEEPEST - 1):
        before, text = text, unquote(_WIDE.sub(_character, text))
        if text == before:
            break
    return text.replace("%", "")


def _character(found: re.Match[str]) -> str:
    """The character of a code; half of a pair is none."""
    code = int(found[1], 16)
    return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)


def _uncommented(text: str) -> str:
    """A blank for each comment, also one within another. MySQL runs ``/*!50000 ... */``: it stays."""
    parts: list[str] = []
    unseen: list[bool] = []
    for part in _COMMENT.split(text):
        if part.startswith("/*"):
            unseen.append(not part.startswith("/*!") or unseen[-1:] == [True])
        elif part == "*/":
            del unseen[-1:]
        elif unseen[-1:] != [True]:
            parts.append(part)
    return " ".join(parts)


FORMS: Final = dict.fromkeys(URL_FIELDS, readings)


def derive(fields: dict[str, str], kind: str) -> None:
    """Add what rules expect and no log writes: whole URLs, ``sc-status-full`` (``404.13``).

    Where no substatus is logged there is no full one: 401.0 would be what no server has said.
    """
    stem = fields.get("cs-uri-stem")
    if stem is not None:
        query = fields.get("cs-uri-query")
        whole = stem if query is None else f"{stem}?{query}"
        fields.setdefault("c-uri", whole)
        fields.setdefault("cs-uri", whole)
    agent = fields.get("cs-user-agent")
    if agent is not None:
        fields.setdefault("c-useragent", agent)
    status, substatus = fields.get("sc-status"), fields.get("sc-substatus")
    if status is not None and substatus is not None:
        fields["sc-status-full"] = f"{status}.{substatus}"
    if "s-sitename" in fields:
        fields["channel"] = fields["s-sitename"]
    if "s-computername" in fields:
        fields["computer"] = fields["s-computername"]
    fields[KIND] = kind


_DERIVED: Final = {
    "c-uri": {"cs-uri-stem"},
    "cs-uri": {"cs-uri-stem"},
    "c-useragent": {"cs-user-agent"},
    "sc-status-full": {"sc-status", "sc-substatus"},
    "channel": {"s-sitename"},
    "computer": {"s-computername"},
}


@lru_cache(maxsize=1000)
def declared(names: tuple[str, ...]) -> frozenset[str]:
    """The fields that a log with a field list has, be they ``-`` everywhere; what we derive among them."""
    own = {field_name(name) for name in names}
    return frozenset(own.union(name for name, of in _DERIVED.items() if of <= own))


def kind(names: Iterable[str]) -> str:
    """The kind of log that a field list is of: HTTP.sys tells its own reason for what it refused.

    Source: Microsoft Learn, "Error logging in HTTP APIs" (field ``s-reason`` of HTTPERR logs).
    """
    return "httperr" if "s-reason" in names else "web"


def site(path: str) -> str:
    """The site that a log is of, ``W3SVC`` and its id, from its name or folder; else ``IIS``."""
    found = _SITE.findall(path)
    return found[-1].upper() if found else "IIS"
