"""W3C extended log lines as IIS 10 writes them.

Sources: "W3C Extended Log File Examples (IIS 6.0)" and "<logFile>" (logExtFileFlags, default
fields) on Microsoft Learn. Times are UTC, spaces inside a value are "+", an absent value is "-".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

FIELDS = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) "
    "cs(Referer) sc-status sc-substatus sc-win32-status time-taken"
)
SOFTWARE = "Microsoft Internet Information Services 10.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One request as the log shows it; ``taken_ms`` is milliseconds."""

    at: datetime
    server: str
    method: str
    stem: str
    query: str = ""
    port: int = 80
    user: str = ""
    client: str = "127.0.0.1"
    agent: str = ""
    referer: str = ""
    status: int = 200
    substatus: int = 0
    win32: int = 0
    taken_ms: int = 0


def _word(text: str) -> str:
    return "".join("+" if c == " " else c for c in text if c >= " " and c != "\x7f") or "-"


def log_line(hit: Hit) -> str:
    """Return the line of one request in the order of ``FIELDS``, with CR LF."""
    utc = hit.at.astimezone(UTC)
    return (
        f"{utc:%Y-%m-%d %H:%M:%S} {hit.server} {_word(hit.method)} {_word(hit.stem)} "
        f"{_word(hit.query)} {hit.port} {_word(hit.user)} {hit.client} {_word(hit.agent)} "
        f"{_word(hit.referer)} {hit.status} {hit.substatus} {hit.win32} {hit.taken_ms}\r\n"
    )


def log_header(at: datetime) -> str:
    """Return the directives that begin a file and every start of the worker process."""
    utc = at.astimezone(UTC)
    return (
        f"#Software: {SOFTWARE}\r\n#Version: 1.0\r\n#Date: {utc:%Y-%m-%d %H:%M:%S}\r\n"
        f"#Fields: {FIELDS}\r\n"
    )


def file_name(at: datetime) -> str:
    """Return the daily file's name; files roll at midnight UTC."""
    return f"u_ex{at.astimezone(UTC):%y%m%d}.log"


def daily_files(hits: Iterable[Hit]) -> dict[str, bytes]:
    """Return file name -> content for requests in order of time."""
    files: dict[str, list[str]] = {}
    for hit in hits:
        lines = files.setdefault(file_name(hit.at), [])
        if not lines:
            lines.append(log_header(hit.at))
        lines.append(log_line(hit))
    return {name: "".join(lines).encode() for name, lines in files.items()}
