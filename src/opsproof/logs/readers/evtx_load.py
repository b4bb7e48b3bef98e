"""From the JSON of Windows events to columns, as fast as Python allows.

Most events have one shape: ``System``, then ``EventData`` with named plain values. For these only
the fields that rules want are touched, by a plan made once for each list of names. Every other shape
goes the long way through :mod:`opsproof.logs.readers.evtx_fields`, which defines what the fields of
an event are; a test holds the two ways together.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from opsproof.logs import times
from opsproof.logs.readers.base import KIND, Fields
from opsproof.logs.readers.evtx_fields import (
    ALIASED,
    RARE,
    SYSTEM,
    aliases,
    flatten,
    integrity,
    lowered,
    plain,
)
from opsproof.logs.table import RAW, Column, Longs, RawText, Table

_DECODER: Final = msgspec.json.Decoder()
_NESTED: Final = frozenset({dict, list})
_TAKEN: Final = frozenset({"#attributes", "Data", "#text"}) | SYSTEM
_TIME_LENGTH: Final = len("2020-07-19T13:06:52.199855Z")
_NO_TIME: Final = "1970-01-01T00:00:00.000000Z"
_IDS: Final = 1 << 63
_MOST_PLANS: Final = 10_000
"""Plans that are remembered: an attacker could invent new field names in every event."""

_Store: TypeAlias = "tuple[dict[str, int], array[int], array[int]]"
_Step: TypeAlias = "tuple[str, _Store, Callable[[str], str] | None]"
_Plan: TypeAlias = "tuple[_Step, ...] | None"


class Loader:
    """One batch of events being filled."""

    def __init__(self, source: int, wanted: Fields) -> None:
        """An empty batch of the file numbered ``source``."""
        self._source = source
        self._wanted = wanted
        self._columns: dict[str, Column] = {}
        self._plans: dict[tuple[Any, ...], _Plan] = {}
        self._common = [self._store(name) for name in _COMMON]
        self._rare = [one for one in RARE.items() if wanted is None or one[0] in wanted]
        self._texts: list[str] = []
        self._moments: list[str] = []
        self._slow: dict[int, int] = {}
        self._ids = array("q")
        self.size = 0
        """Characters of the batch's events."""
        self.exported = False
        """Whether the file numbers its records anew, as ``wevtutil epl`` does."""

    def __len__(self) -> int:
        """The number of events so far."""
        return len(self._texts)

    def add(self, text: str, number: int) -> None:
        """One event, the file's record ``number``.

        Raises ``ValueError`` where the text is no event; nothing is added then.
        """
        if not self._quick(text):
            self._long_way(text)
        if self._ids[-1] != number:
            self.exported = True
        self._texts.append(text)
        self.size += len(text)

    def _quick(self, text: str) -> bool:
        """Add an event of the common shape; False, and nothing added, where it has another."""
        event = _DECODER.decode(text)
        try:
            event = event["Event"]
            system = event["System"]
            data = event["EventData"]
            provider = system["Provider"]["#attributes"]["Name"]
            number = system["EventID"]
            if number.__class__ is dict:
                number = number["#text"]
            channel = system["Channel"]
            record = system["EventRecordID"]
            moment = system["TimeCreated"]["#attributes"]["SystemTime"]
            common = (number, provider, channel, system["Computer"], system["Level"])
            if (
                len(event) != 3  # attributes, System, EventData: no UserData beside it
                or data.__class__ is not dict
                or record.__class__ is not int
                or not 0 <= record < _IDS
                or len(moment) != _TIME_LENGTH
            ):
                return False
        except (KeyError, TypeError):
            return False
        key = (number, channel, *data) if number in ALIASED else tuple(data)
        try:
            plan = self._plans[key]
        except KeyError:
            plan = self._planned(key, data, number, channel)
        if plan is None:
            return False
        row = len(self._texts)
        values = [data[step[0]] for step in plan]
        if None in common or not _NESTED.isdisjoint(map(type, (*values, *common))):
            return False
        for step, value in zip(plan, values, strict=True):
            if value.__class__ is not str:
                value = plain(value)
            if step[2] is not None:
                value = step[2](value)
            known, rows, codes = step[1]
            rows.append(row)
            codes.append(known.setdefault(value, len(known)))
        for place, value in zip(self._common, common, strict=True):
            if place is not None:
                value = value if value.__class__ is str else str(value)
                known, rows, codes = place
                rows.append(row)
                codes.append(known.setdefault(value, len(known)))
        for name, read in self._rare:
            found = read(system)
            if found is not None:
                self._put(row, name, found)
        self._ids.append(record)
        self._moments.append(moment)
        return True

    def _planned(
        self, key: tuple[Any, ...], data: dict[str, Any], number: Any, channel: Any
    ) -> _Plan:
        """Which names go to which columns; None where only the long way is right."""
        plan = self._plan(data, number, channel)
        if len(self._plans) < _MOST_PLANS:
            self._plans[key] = plan
        return plan

    def _plan(self, data: dict[str, Any], number: Any, channel: Any) -> _Plan:
        names = {name.replace(" ", "").lower(): name for name in data}
        if len(names) != len(data) or not _TAKEN.isdisjoint(data):
            return None
        steps: list[_Step] = []
        renamed = aliases(str(number), channel)
        sources = names | {new: names[old] for old, new in renamed.items() if old in names}
        for name, source in sources.items():
            store = self._store(name)
            if store is not None:
                steps.append((source, store, None))
        if renamed and "mandatorylabel" in names and number in {4688, "4688"}:
            store = self._store("integritylevel")
            if store is not None and "integritylevel" not in names:
                steps.append((names["mandatorylabel"], store, integrity))
        return tuple(steps)

    def _long_way(self, text: str) -> None:
        event = flatten(text)
        row = len(self._texts)
        for name, value in lowered(event).items():
            if name not in {KIND, RAW}:
                self._put(row, name, value)
        self._ids.append(event.record_id)
        self._moments.append(_NO_TIME)
        self._slow[row] = event.time

    def _column(self, name: str) -> Column | None:
        """The column of a field; None where nobody wants it."""
        if self._wanted is not None and name not in self._wanted:
            return None
        return self._columns.setdefault(name, Column())

    def _store(self, name: str) -> _Store | None:
        """What a column keeps, taken apart for the loop that fills it."""
        column = self._column(name)
        if column is None:
            return None
        assert isinstance(column.rows, array)
        assert isinstance(column.codes, array)
        return column.values, column.rows, column.codes

    def _put(self, row: int, name: str, value: str) -> None:
        column = self._column(name)
        if column is not None:
            column.add(row, value)

    def table(self) -> Table:
        """The finished batch."""
        texts = self._texts
        columns = {name: column for name, column in self._columns.items() if len(column.rows)}
        columns[KIND] = Column.constant("windows", len(texts))
        return Table(
            source=self._source,
            size=len(texts),
            columns=columns,
            times=self._times(),
            record_ids=np.frombuffer(self._ids, dtype=np.int64),
            fields=lambda row: flatten(texts[row]).fields,
            raw=RawText(
                encoded=lambda: texts,
                encode=_json,
                read=lambda row: lowered(flatten(texts[row]))[RAW],
            ),
        )

    def _times(self) -> Longs:
        """All times at once: numpy reads ISO 8601 faster than any loop of ours."""
        try:
            moments = np.array([moment[:26] for moment in self._moments], dtype="datetime64[us]")
            found: Longs = moments.astype(np.int64)
        except ValueError:
            read = [times.parse(moment) for moment in self._moments]
            known = [times.UNKNOWN if moment is None else moment for moment in read]
            found = np.array(known, dtype=np.int64)
        for row, moment in self._slow.items():
            found[row] = moment
        return found


_COMMON: Final = ("eventid", "provider_name", "channel", "computer", "level")


def _json(needle: str) -> str:
    """A text as it stands inside a JSON string: as the parser writes it, characters kept."""
    return json.dumps(needle, ensure_ascii=False)[1:-1]
