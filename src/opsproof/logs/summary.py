"""What Windows events say apart from rules: errors, failed logons, cleared logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import numpy as np

from opsproof.logs import times
from opsproof.logs.counts import Names
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

MOST_CLEARED: Final = 1000
"""Times that a log was cleared which are listed; all are counted."""

_CLEARED: Final = {"1102": "security", "104": "system"}


class Summarizer:
    """Counts over all batches. Records that several files hold count once for each file."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._levels: Counter[str] = Counter()
        self._events, self._accounts, self._sources = Names(), Names(), Names()
        self._failed = self._more_cleared = 0
        self._cleared: list[Cleared] = []

    def add(self, table: Table, inside: Mask, file: str, sha256: str) -> None:
        """Count the records of one batch that are ``inside`` the asked time."""
        ids = table.columns.get("eventid")
        if ids is None:
            return
        self._count_levels(table, inside)
        self._failed_logons(table, _rows(ids, "4625", inside))
        for event, channel in _CLEARED.items():
            for row in _rows(ids, event, inside).tolist():
                if (table.value("channel", row) or "").lower() == channel:
                    self._clear(table, row, file, sha256)

    def merge(self, other: Summarizer) -> None:
        """Add what another part of the audit counted."""
        self._levels += other._levels
        self._events.merge(other._events)
        self._accounts.merge(other._accounts)
        self._sources.merge(other._sources)
        self._failed += other._failed
        room = MOST_CLEARED - len(self._cleared)
        self._more_cleared += other._more_cleared + len(other._cleared[room:])
        self._cleared += other._cleared[:room]

    def result(self) -> Summary:
        """The summary of everything counted so far."""
        return Summary(
            critical=self._levels["1"],
            errors=self._levels["2"],
            top=tuple(
                EventCount(provider=provider, event_id=int(event), count=count)
                for name, count in self._events.result(MOST)[1]
                for provider, _, event in [name.rpartition("\0")]
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
            for (provider, event), count in _kinds(table, rows, "provider_name", "eventid"):
                number = int(event) if event and event.isdecimal() else 0
                self._events.add([(f"{provider or ''}\0{number:020}", count)])

    def _failed_logons(self, table: Table, rows: Ints) -> None:
        fields = ("channel", "targetusername", "targetdomainname", "ipaddress", "workstationname")
        for (channel, name, domain, address, station), count in _kinds(table, rows, *fields):
            if (channel or "").lower() == "security":
                account = name or "-"
                known = domain not in {None, "", "-"}
                self._accounts.add([(f"{domain}\\{account}" if known else account, count)])
                source = station if address in {None, "", "-"} else address
                self._sources.add([(source or "-", count)])
                self._failed += count

    @property
    def more_cleared(self) -> int:
        """How many more times a log was cleared than are listed."""
        return self._more_cleared

    def _clear(self, table: Table, row: int, file: str, sha256: str) -> None:
        if len(self._cleared) == MOST_CLEARED:
            self._more_cleared += 1
            return
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


def _kinds(table: Table, rows: Ints, *names: str) -> Iterator[tuple[tuple[str | None, ...], int]]:
    """The distinct values of some fields, together, of some records; how many have them."""
    if not len(rows):
        return
    columns = [table.columns.get(name) for name in names]
    codes = [
        np.full(len(rows), -1) if column is None else column.dense(table.size)[rows]
        for column in columns
    ]
    texts = [[*column.names(), None] if column is not None else [None] for column in columns]
    for key, count in Counter(zip(*(one.tolist() for one in codes), strict=True)).items():
        yield tuple(text[code] for text, code in zip(texts, key, strict=True)), count


def _rows(column: Column, value: str, inside: Mask) -> Ints:
    code = column.values.get(value)
    if code is None:
        return np.empty(0, dtype=np.int32)
    rows: Ints = column.row_array()[column.code_array() == code]
    kept: Ints = rows[inside[rows]]
    return kept


def _counts(names: Names) -> tuple[Count, ...]:
    return tuple(Count(name=name, count=count) for name, count in names.result(MOST)[1])
