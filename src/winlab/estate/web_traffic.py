"""Web requests that sites had before the lab started: ordinary ones and an SQL injection scan.

Made from a seed and a start time alone. Paths and agents are invented; the scan has the shape of
sqlmap's: its agent string, and payloads in the query as http.sys logs them (percent-encoded).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from winlab.host.w3c import Hit

_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/128.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "healthcheck/1.0",
)
_PAGES = (
    ("GET", "/", "", 200),
    ("GET", "/index.html", "", 200),
    ("GET", "/site.css", "", 304),
    ("GET", "/api/status", "", 200),
    ("POST", "/api/login", "", 200),
    ("GET", "/api/candidates", "page=%d", 200),
    ("POST", "/api/verify", "", 200),
    ("GET", "/favicon.ico", "", 404),
    ("POST", "/api/login", "", 401),
)
_WEIGHTS = (30, 14, 12, 25, 6, 14, 10, 2, 1)
_PAYLOADS = (
    "id=1%27",
    "id=1%20AND%201=1",
    "id=1%20AND%201=2",
    "id=1%27%20OR%20%271%27=%271",
    "id=1%20UNION%20ALL%20SELECT%20NULL,NULL,NULL--%20-",
    "id=1%20UNION%20SELECT%20name,password%20FROM%20master..syslogins--",
    "id=1;WAITFOR%20DELAY%20%270:0:5%27--",
    "id=1%20AND%20(SELECT%20COUNT(*)%20FROM%20sysobjects)%3E0",
    "id=1;EXEC%20master..xp_cmdshell%20%27whoami%27--",
    "id=1%27)%20ORDER%20BY%2010--",
)
SCANNER = "sqlmap/1.7.2#stable (https://sqlmap.org)"


def ordinary(
    seed: str, server: str, ports: Sequence[int], per_hour: int, start: datetime, hours: int
) -> list[Hit]:
    """Return ``per_hour`` requests for each of the ``hours`` before ``start``, oldest first."""
    source = random.Random(f"{seed}/web")  # noqa: S311 - makes test data
    begin = start - timedelta(hours=hours)
    hits = []
    for moment in sorted(source.uniform(0, hours * 3600) for _ in range(per_hour * hours)):
        method, stem, query, status = source.choices(_PAGES, weights=_WEIGHTS)[0]
        hits.append(
            Hit(
                at=begin + timedelta(seconds=moment),
                server=server,
                method=method,
                stem=stem,
                query=query % source.randint(1, 90) if "%" in query else query,
                port=source.choice(ports),
                client=f"10.30.{source.randint(0, 3)}.{source.randint(2, 250)}",
                agent=source.choice(_AGENTS),
                status=status,
                win32=2 if status == 404 else 0,
                taken_ms=int(source.expovariate(1 / 40)) + 1,
            )
        )
    return hits


def injection_scan(
    seed: str, server: str, port: int, client: str, begin: datetime, count: int
) -> list[Hit]:
    """Return ``count`` requests of a scan for SQL injection, several a second from ``begin``."""
    source = random.Random(f"{seed}/scan")  # noqa: S311 - makes test data
    hits, at = [], begin
    for number in range(count):
        at += timedelta(milliseconds=source.randint(60, 600))
        status = source.choices((200, 404, 500), weights=(5, 2, 3))[0]
        hits.append(
            Hit(
                at=at,
                server=server,
                method="GET",
                stem=source.choice(("/api/candidates", "/query.aspx", "/login.aspx")),
                query=_PAYLOADS[number % len(_PAYLOADS)],
                port=port,
                client=client,
                agent=SCANNER,
                status=status,
                win32={404: 2, 500: 64}.get(status, 0),
                taken_ms=source.randint(3, 5200),
            )
        )
    return hits
