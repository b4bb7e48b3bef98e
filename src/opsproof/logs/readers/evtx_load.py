"""From the JSON of Windows events to columns, as fast as Python allows.

Events that differ only in what no rule looks at (time, record id, process) are one *form*: its fields
are read once (:mod:`opsproof.logs.readers.evtx_forms`), and rules are evaluated once.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import replace
from typing import Final

import numpy as np

from opsproof.logs import times
from opsproof.logs.readers.base import Fields
from opsproof.logs.readers.evtx_fields import flatten, lowered
from opsproof.logs.readers.evtx_forms import Book
from opsproof.logs.table import RAW, Longs, Spread, Table

_TIME: Final = '"TimeCreated":{"#attributes":{"SystemTime":"'
_PLAIN: Final = r'[^"\\{}\x00-\x1f]'
_PAIR: Final = rf'"{_PLAIN}*":(?:"{_PLAIN}*"|0|[1-9][0-9]{{0,18}}|null)'
_PAIRS: Final = rf'(?:null|\{{"#attributes":\{{(?:{_PAIR}(?:,{_PAIR})*)?\}}\}})'
_OWN: Final = re.compile(
    rf'{_TIME}{_PLAIN}{{27}}"\}}\}},"EventRecordID":(0|[1-9][0-9]{{0,17}}),'
    rf'("Correlation":{_PAIRS},"Execution":{_PAIRS},)"Channel":'
).match
"""What is an event's own in ``System``, as Windows orders it: time, record id, activity, process.

A quotation mark inside a value is escaped, so this cannot stand in one. That it stands in ``System``
and nowhere deeper is proved for each text that stands before it (:func:`_is_head`). Nobody else looks
whether it is JSON: a damaged record may hold any character, which the parser writes as it stands.
"""
BATCH_FORMS: Final = 1 << 22
"""Characters of distinct text at which a batch is evaluated and dropped: memory does not grow with
the file. What is alike is read once in each batch, so that it is not to be small.
"""
BATCH_OWN: Final = 1 << 24
"""Characters of events' own text at which it is: of them nothing is made but times and ids."""


class Loader:
    """One batch of events being filled."""

    def __init__(self, source: int, wanted: Fields, book: Book | None = None) -> None:
        """An empty batch of the file numbered ``source``; ``book`` has the forms of earlier ones."""
        self._source = source
        self._book = book or Book(wanted)
        self._first = len(self._book.texts)
        self._used = bytearray(self._first)
        self._of = array("i")
        self._middles: list[str] = []
        self._slow: dict[int, int] = {}
        self._ids = array("q")
        self._distinct = self._each = 0
        self.exported = False
        """Whether the file numbers its records anew, as ``wevtutil epl`` does."""

    def __len__(self) -> int:
        """The number of events so far."""
        return len(self._of)

    @property
    def full(self) -> bool:
        """Whether it is time to evaluate the batch and to begin another.

        That depends on its own events alone, not on what the book knew before.
        """
        return self._distinct >= BATCH_FORMS or self._each >= BATCH_OWN

    @property
    def pays(self) -> bool:
        """Whether the book is worth keeping: it is not large, and its forms come again and again."""
        return self._book.size < BATCH_FORMS and 2 * self._used.count(1) <= len(self._of)

    def add(self, text: str, number: int) -> None:
        """One event, the file's record ``number``.

        Raises ``ValueError`` where the text is no event; nothing is added then.
        """
        begin = text.find(_TIME)
        own = None if begin < 0 else _OWN(text, begin)
        if own is None:
            self._whole(text)
        else:
            end = own.end(2)
            head, tail = text[:begin], text[end:]
            forms = self._book.known.get(head)
            form = None if forms is None else forms.get(tail)
            if form is None:
                form = self._book.form(text, head, tail)
                if form >= 0:
                    self._used.append(0)
            if form < 0:
                self._whole(text)
            else:
                if not self._used[form]:
                    self._used[form] = 1
                    self._distinct += len(head) + len(tail)
                self._of.append(form)
                self._ids.append(int(own[1]))
                self._middles.append(text[begin:end])
                self._each += end - begin
        if self._ids[-1] != number:
            self.exported = True

    def _whole(self, text: str) -> None:
        """An event of unknown shape."""
        event = self._book.whole(text)
        self._used.append(1)
        self._distinct += len(text)
        self._slow[len(self._of)] = event.time
        self._of.append(len(self._book.texts) - 1)
        self._ids.append(event.record_id)
        self._middles.append("")

    def table(self) -> Table:
        """The finished batch."""
        texts, middles = self._book.texts, self._middles
        of = np.frombuffer(self._of, dtype=np.int32)

        def text(row: int) -> str:
            head, tail = texts[of[row]]
            return f"{head}{middles[row]}{tail}"

        forms = self._book.forms()
        # Forms are numbered as they come: as many as events are one each, if none is older.
        alone = not self._first and forms.size == len(of)
        used = np.frombuffer(self._used, dtype=np.bool_)
        return Table(
            source=self._source,
            size=len(of),
            columns=forms.columns if alone else Spread(forms.columns, of, used),
            times=self._times(),
            record_ids=np.frombuffer(self._ids, dtype=np.int64),
            fields=lambda row: flatten(text(row)).fields,
            raw=replace(forms.raw, read=lambda row: lowered(flatten(text(row)))[RAW]),
            forms=None if alone else (forms, of),
        )

    def _times(self) -> Longs:
        """All times at once: numpy reads ISO 8601 faster than any loop of ours."""
        first, last = len(_TIME), len(_TIME) + len("2026-01-05T10:00:00.000000")
        try:
            moments = [middle[first:last] for middle in self._middles]
            found: Longs = np.array(moments, dtype="datetime64[us]").astype(np.int64)
        except ValueError:
            read = [times.parse(middle[first : last + 1]) for middle in self._middles]
            known = [times.UNKNOWN if moment is None else moment for moment in read]
            found = np.array(known, dtype=np.int64)
        for row, moment in self._slow.items():
            found[row] = moment
        return found
