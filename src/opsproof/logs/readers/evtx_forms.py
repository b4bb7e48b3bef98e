"""Forms of Windows events: what events that are alike but for their time and number have in common.

Most events have one shape: ``System``, then ``EventData`` with named plain values. For these only
the fields that rules want are touched, by a plan made once for each list of names. Every other shape
goes the long way through :mod:`opsproof.logs.readers.evtx_fields`, which defines what the fields of
an event are; a test holds the two ways together.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np

from opsproof.logs.readers.base import KIND, Fields
from opsproof.logs.readers.evtx_fields import (
    ALIASED,
    OWN,
    RARE,
    SYSTEM,
    Event,
    aliases,
    flatten,
    integrity,
    lowered,
    plain,
)
from opsproof.logs.table import RAW, Column, Forms, RawText

_DECODER: Final = msgspec.json.Decoder()
_TAKEN: Final = frozenset({"#attributes", "Data", "#text"}) | SYSTEM

_MOST_PLANS: Final = 10_000
"""Plans that are remembered: an attacker could invent new field names in every event."""

_COMMON: Final = ("eventid", "provider_name", "channel", "computer", "level")

_Step: TypeAlias = "tuple[str, int, Callable[[str], str] | None]"


@dataclass(slots=True)
class _Plan:
    """Events with the same names of data: how to take the wanted values out, and those taken."""

    take: Callable[[dict[str, Any]], Any]
    steps: tuple[_Step, ...]
    rows: list[int] = field(default_factory=list)
    values: list[tuple[Any, ...]] = field(default_factory=list)


class Book:
    """Forms, numbered as they come, each with its fields. ``size`` is how many characters they have."""

    def __init__(self, wanted: Fields) -> None:
        """No form yet. Only the ``wanted`` fields are read."""
        self._wanted = wanted
        self.apart = wanted is None or not OWN.isdisjoint(wanted)
        """Whether a rule looks at what is an event's own, so that every event is a form of its own."""
        self.known: dict[str, dict[str, int]] = {}
        """Forms by the texts before and behind what is an event's own; -1 where that is not cut out."""
        self.texts: list[tuple[str, str]] = []
        self.size = 0
        self._plans: dict[tuple[Any, ...], _Plan | None] = {}
        self._common: tuple[list[int], list[tuple[Any, ...]]] = ([], [])
        self._rare = [one for one in RARE.items() if wanted is None or one[0] in wanted]
        self._single: dict[str, tuple[list[int], list[str]]] = {}
        self._heads: dict[str, int] = {}
        self._made: Forms | None = None

    def form(self, text: str, head: str, tail: str) -> int:
        """A new form for an event cut in three; -1 where the cut is not between System's parts.

        Raises ``ValueError`` where the text is no event; nothing is added then.
        """
        event = _DECODER.decode(text if self.apart else head + tail)
        row = len(self.texts)
        if head not in self._heads and not _is_head(head):
            return self.known.setdefault(head, {}).setdefault(tail, -1)
        if not self._quick(event, row):
            self._fields(text if self.apart else head + tail, row)
        self._heads.setdefault(head, len(self._heads))
        self._add(head, tail)
        if not self.apart:
            self.known.setdefault(head, {})[tail] = row
        return row

    def whole(self, text: str) -> Event:
        """A new form for an event of unknown shape: its text is looked at as a whole.

        Raises ``ValueError`` where the text is no event; nothing is added then.
        """
        event = self._fields(text, len(self.texts))
        self._add("", text)
        return event

    def forms(self) -> Forms:
        """All forms; the same object as long as none is added."""
        if self._made is None or self._made.size != len(self.texts):
            self._made = Forms(columns=self._columns(), size=len(self.texts), raw=self._raw())
        return self._made

    def _add(self, head: str, tail: str) -> None:
        self.texts.append((head, tail))
        self.size += len(head) + len(tail)

    def _quick(self, event: Any, row: int) -> bool:
        """Take the fields of a form of the common shape; False, and none taken, if it has another."""
        try:
            event = event["Event"]
            system = event["System"]
            data = event["EventData"]
            provider = system["Provider"]["#attributes"]["Name"]
            number = system["EventID"]
            if number.__class__ is dict:
                number = number["#text"]
            channel = system["Channel"]
            common = (number, provider, channel, system["Computer"], system["Level"])
            if (
                len(event) != 3  # attributes, System, EventData: no UserData beside it
                or data.__class__ is not dict
                or dict in map(type, data.values())  # has names of its own inside
                or None in common
            ):
                return False
            key = (number, channel, *data) if number in ALIASED else tuple(data)
            plan = self._plans[key] if key in self._plans else self._plan(key, data)
            if plan is None:
                return False
            values = plan.take(data)
            # Lists cannot be hashed: what has them goes the long way.
            hash((values, common))
        except (KeyError, TypeError):
            return False
        plan.rows.append(row)
        plan.values.append(values)
        self._common[0].append(row)
        self._common[1].append(common)
        for name, read in self._rare:
            found = read(system)
            if found is not None:
                self._put(row, name, found)
        return True

    def _plan(self, key: tuple[Any, ...], data: dict[str, Any]) -> _Plan | None:
        """How to take events with these names; None where only the long way is right."""
        plan = self._steps(data, key)
        if len(self._plans) < _MOST_PLANS:
            self._plans[key] = plan
            return plan
        return None

    def _steps(self, data: dict[str, Any], key: tuple[Any, ...]) -> _Plan | None:
        names = {name.replace(" ", "").lower(): name for name in data}
        if len(names) != len(data) or not _TAKEN.isdisjoint(data):
            return None
        renamed = aliases(str(key[0]), key[1]) if len(key) > len(data) else {}
        sources = names | {new: names[old] for old, new in renamed.items() if old in names}
        wanted = [one for one in sources.items() if self._asked(one[0])]
        labelled = "mandatorylabel" in names and "integritylevel" not in names
        if labelled and str(key[0]) == "4688" and renamed and self._asked("integritylevel"):
            wanted.append(("integritylevel", names["mandatorylabel"]))
        places = {source: place for place, source in enumerate(dict.fromkeys(s for _, s in wanted))}
        steps = tuple(
            (name, places[source], integrity if name == "integritylevel" and renamed else None)
            for name, source in wanted
        )
        return _Plan(_getter(tuple(places)), steps)

    def _asked(self, name: str) -> bool:
        return self._wanted is None or name in self._wanted

    def _fields(self, text: str, row: int) -> Event:
        """Take the fields of a form the long way."""
        event = flatten(text)
        for name, value in lowered(event).items():
            if name not in {KIND, RAW}:
                self._put(row, name, value)
        return event

    def _put(self, row: int, name: str, value: str) -> None:
        if self._asked(name):
            rows, values = self._single.setdefault(name, ([], []))
            rows.append(row)
            values.append(value)

    def _columns(self) -> dict[str, Column]:
        pieces: dict[str, list[_Piece]] = defaultdict(list)
        for plan in self._plans.values():
            if plan is not None and plan.rows:
                columns = list(zip(*plan.values, strict=True))
                for name, place, read in plan.steps:
                    pieces[name].append(_Piece(plan.rows, columns[place], read))
        if self._common[0]:
            for name, values in zip(_COMMON, zip(*self._common[1], strict=True), strict=True):
                if self._asked(name):
                    pieces[name].append(_Piece(self._common[0], values, None))
        for name, (rows, texts_of) in self._single.items():
            pieces[name].append(_Piece(rows, texts_of, None))
        made = {name: _column(parts) for name, parts in pieces.items()}
        made[KIND] = Column.constant("windows", len(self.texts))
        return made

    def _raw(self) -> RawText:
        """The text of the forms, for keyword searches: heads are few, and searched once each."""
        texts, heads = self.texts, {**self._heads}
        head_of = [heads.setdefault(head, len(heads)) for head, _ in texts]
        every = np.arange(len(texts), dtype=np.int32)

        def read(row: int) -> str:
            return lowered(flatten("".join(texts[row])))[RAW]

        return RawText(
            encoded=lambda: [
                (list(heads), np.array(head_of, dtype=np.int32)),
                ([tail for _, tail in texts], every),
            ],
            encode=_json,
            read=read,
        )


class _Piece(NamedTuple):
    """Values of one field in some events; ``read`` makes the text of a value, None the plain way."""

    rows: Sequence[int]
    values: Sequence[Any]
    read: Callable[[str], str] | None


def _column(pieces: list[_Piece]) -> Column:
    """One column from its pieces: each distinct value is made text once."""
    texts: dict[str, int] = {}
    rows, codes = [], []
    for piece in pieces:
        # True, 1 and 1.0 are one key of a dictionary, so are 0.0 and -0.0: these are made text first.
        mixed = not {bool, float}.isdisjoint(map(type, piece.values))
        values: Sequence[Any] = piece.values
        if mixed:
            values = [plain(value) for value in values]
        index: dict[Any, int] = {}
        for value in dict.fromkeys(values):
            text = value if value.__class__ is str else plain(value)
            if piece.read is not None:
                text = piece.read(text)
            index[value] = texts.setdefault(text, len(texts))
        codes.append(np.fromiter(map(index.__getitem__, values), dtype=np.int32, count=len(values)))
        rows.append(np.array(piece.rows, dtype=np.int32))
    if len(pieces) == 1:
        return Column(values=texts, rows=rows[0], codes=codes[0])
    every, all_codes = np.concatenate(rows), np.concatenate(codes)
    order = np.argsort(every, kind="stable")
    return Column(values=texts, rows=every[order], codes=all_codes[order])


def _getter(names: tuple[str, ...]) -> Callable[[dict[str, Any]], Any]:
    """Takes the values of these names out of a mapping, as a tuple."""
    if len(names) == 1:
        (name,) = names
        return lambda data: (data[name],)
    return itemgetter(*names) if names else lambda _: ()


def _is_head(head: str) -> bool:
    """Whether a text is the beginning of an event up to a place between two elements of System."""
    try:
        event = _DECODER.decode(head + '"":0}}}')["Event"]
    except (msgspec.DecodeError, KeyError, TypeError):
        return False
    return isinstance(event, dict) and list(event)[-1:] == ["System"] and len(event) <= 2


def _json(needle: str) -> str:
    """A text as it stands inside a JSON string: as the parser writes it, characters kept."""
    return json.dumps(needle, ensure_ascii=False)[1:-1]
