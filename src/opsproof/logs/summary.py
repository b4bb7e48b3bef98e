"""What Windows events say apart from rules: errors, failed logons, cleared logs."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from opsproof.logs import times
from opsproof.logs.model import Cleared, Count, EventCount, Logons, Summary, exact
from opsproof.logs.table import Column, Ints, Mask, Table

WANTED: Final = frozenset(
    {
        "_kind",
        "channel",
        "computer",
        "eventid",
        "ipaddress",
        "level",
        "provider_name",
        "subjectusername",
        "targetdomainname",
        "targetusername",
        "workstationname",
    }
)
"""The fields that the summary looks at, lower-cased."""

MOST: Final = 20
"""Rows of each list."""

_CLEARED: Final = {"1102": "security", "104": "system"}


class Summarizer:
    """Counts over all batches. Records that several files hold count once for each file."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._levels: Counter[str] = Counter()
        self._events: Counter[tuple[str, int]] = Counter()
        self._accounts: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()
        self._failed = 0
        self._cleared: list[Cleared] = []

    def add(self, table: Table, inside: Mask, file: str, sha256: str) -> None:
        """Count the records of one batch that are ``inside`` the asked time."""
        ids = table.columns.get("eventid")
        if ids is None:
            return
        self._count_levels(table, inside)
        for row in _rows(ids, "4625", inside).tolist():
            if (table.value("channel", row) or "").lower() == "security":
                self._failed_logon(table, row)
        for event, channel in _CLEARED.items():
            for row in _rows(ids, event, inside).tolist():
                if (table.value("channel", row) or "").lower() == channel:
                    self._clear(table, row, file, sha256)

    def merge(self, other: Summarizer) -> None:
        """Add what another part of the audit counted."""
        self._levels += other._levels
        self._events += other._events
        self._accounts += other._accounts
        self._sources += other._sources
        self._failed += other._failed
        self._cleared += other._cleared

    def result(self) -> Summary:
        """The summary of everything counted so far."""
        return Summary(
            critical=self._levels["1"],
            errors=self._levels["2"],
            top=tuple(
                EventCount(provider=provider, event_id=event, count=count)
                for (provider, event), count in _most(self._events)
            ),
            failed_logons=Logons(
                total=self._failed,
                by_account=_counts(self._accounts),
                by_source=_counts(self._sources),
            ),
            log_cleared=tuple(
                sorted(
                    self._cleared,
                    key=lambda one: (one.time or "", one.file, one.channel, str(one.record_id)),
                )
            ),
        )

    def _count_levels(self, table: Table, inside: Mask) -> None:
        levels = table.columns.get("level")
        if levels is None:
            return
        for level in ("1", "2"):
            rows = _rows(levels, level, inside)
            self._levels[level] += len(rows)
            for row in rows.tolist():
                provider = table.value("provider_name", row) or ""
                event = table.value("eventid", row) or ""
                self._events[provider, int(event) if event.isdecimal() else 0] += 1

    def _failed_logon(self, table: Table, row: int) -> None:
        name = table.value("targetusername", row) or "-"
        domain = table.value("targetdomainname", row)
        self._accounts[f"{domain}\\{name}" if domain not in {None, "", "-"} else name] += 1
        source = table.value("ipaddress", row)
        if source in {None, "", "-"}:
            source = table.value("workstationname", row)
        self._sources[source or "-"] += 1
        self._failed += 1

    def _clear(self, table: Table, row: int, file: str, sha256: str) -> None:
        place = table.place(row)
        # Security 1102 names only its own log; System 104 names the cleared one in "Channel", which
        # is a field of its data and therefore not System's own Channel.
        fields = table.fields(row)
        self._cleared.append(
            Cleared(
                channel=fields.get("EventData_Channel") or place.channel,
                time=times.text(int(table.times[row])),
                record_id=exact(place.record_id),
                file=file,
                sha256=sha256,
                account=table.value("subjectusername", row) or "",
            )
        )


def _rows(column: Column, value: str, inside: Mask) -> Ints:
    code = column.values.get(value)
    if code is None:
        return np.empty(0, dtype=np.int32)
    rows: Ints = column.row_array()[column.code_array() == code]
    kept: Ints = rows[inside[rows]]
    return kept


def _most(counter: Counter[tuple[str, int]]) -> list[tuple[tuple[str, int], int]]:
    return sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]


def _counts(counter: Counter[str]) -> tuple[Count, ...]:
    ordered = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST]
    return tuple(Count(name=name, count=count) for name, count in ordered)
