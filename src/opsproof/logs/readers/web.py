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
    """A URL part as it stands, decoded once, and twice with ``+`` as space; each reading once.

    What a scanner encodes twice is decoded twice by careless applications; a rule that names the
    encoded form still finds it.
    """
    if "%" not in value and "+" not in value:
        return (value,)
    once = unquote(value)
    return tuple(dict.fromkeys((value, once, unquote(once).replace("+", " "))))


FORMS: Final = dict.fromkeys(URL_FIELDS, readings)


def derive(fields: dict[str, str], kind: str) -> None:
    """Add what rules expect and no log writes: whole URLs, ``sc-status-full`` (``404.13``)."""
    stem = fields.get("cs-uri-stem")
    if stem is not None:
        query = fields.get("cs-uri-query")
        whole = stem if query is None else f"{stem}?{query}"
        fields.setdefault("c-uri", whole)
        fields.setdefault("cs-uri", whole)
    agent = fields.get("cs-user-agent")
    if agent is not None:
        fields.setdefault("c-useragent", agent)
    status = fields.get("sc-status")
    if status is not None:
        fields["sc-status-full"] = f"{status}.{fields.get('sc-substatus', '0')}"
    if "s-sitename" in fields:
        fields["channel"] = fields["s-sitename"]
    if "s-computername" in fields:
        fields["computer"] = fields["s-computername"]
    fields[KIND] = kind


def kind(names: Iterable[str]) -> str:
    """The kind of log that a field list is of: HTTP.sys tells its own reason for what it refused.

    Source: Microsoft Learn, "Error logging in HTTP APIs" (field ``s-reason`` of HTTPERR logs).
    """
    return "httperr" if "s-reason" in names else "web"


def site(path: str) -> str:
    """The site that a log is of, ``W3SVC`` and its id, from its name or folder; else ``IIS``."""
    found = _SITE.findall(path)
    return found[-1].upper() if found else "IIS"
