"""Values of one field, many at a time, as numbers of distinct values.

Millions of values stand in a block of bytes, each from a start to an end. Short ones are compared
eight bytes at a time by numpy, without a Python object for each; long ones by a dictionary. A
dictionary lives through many blocks, so that what a value means is worked out once.

Numbers are exact: the hash only proposes a value, whose bytes are then compared. No value holds a
NUL byte, so words that are filled up with these are the same only for the same value.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

import numpy as np
import numpy.typing as npt

from opsproof.logs.readers.lines import PADDING, decode
from opsproof.logs.table import Ints, Longs

_Words = npt.NDArray[np.uint64]

_WORD: Final = 8
_LONGEST: Final = PADDING // 2
"""Bytes up to which numpy, word by word, is faster than a dictionary of Python."""

MOST_VALUES: Final = 1 << 14
"""Distinct values of a field from which on a new dictionary is begun."""

_MOST_BYTES: Final = 1 << 20

_ROOM: Final = 8
"""Slots for each short value: nearly all values stand in the first slot that is looked at."""

_MASKS: Final = np.array(
    [(1 << 8 * min(max(left, 0), _WORD)) - 1 for left in range(-_LONGEST, _LONGEST + 1)],
    dtype=np.uint64,
)
_MASKS_AT: Final = [_MASKS[_LONGEST - at :] for at in range(0, _LONGEST, _WORD)]
"""For each word of a value the bytes of it that belong to the value, by the value's size."""

_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(29)
_HALF: Final = np.uint64(32)


class Bytes:
    """A block of bytes that can also be read eight at a time, from any place on."""

    def __init__(self, padded: bytes, size: int) -> None:
        """The first ``size`` of the bytes; at least :data:`PADDING` follow."""
        self.data = padded
        self.array = np.frombuffer(padded, dtype=np.uint8, count=size)
        self.words: _Words = np.ndarray(
            shape=(len(padded) - _WORD + 1,), dtype="<u8", buffer=padded, strides=(1,)
        )

    def fetch(self, starts: Longs, width: int) -> _Words:
        """``width`` words from each start, a row each: numpy copies them all at once."""
        size = width * _WORD
        places = len(self.data) - size + 1
        runs = np.ndarray(shape=(places,), dtype=f"V{size}", buffer=self.data, strides=(1,))
        return runs[starts].view("<u8").reshape(-1, width)


class Dictionary:
    """Distinct values, numbered as they come.

    ``values`` gives the number of a text, ``texts`` the text of a number. Two byte strings that are
    the same text (UTF-8 and Latin-1) have one number.
    """

    def __init__(self) -> None:
        """No value yet."""
        self._numbers = _Numbers()
        self.values, self.texts = self._numbers.codes, self._numbers.texts
        self._table = _Table()

    @property
    def full(self) -> bool:
        """Whether it is so large that a new one should be begun: memory must not grow with the file."""
        return len(self._numbers) > MOST_VALUES or self._numbers.size > _MOST_BYTES

    def encode(self, block: Bytes, starts: Longs, ends: Longs) -> Ints:
        """The number of each value, from ``starts`` to ``ends``; none holds a NUL byte."""
        sizes = ends - starts
        longest = int(sizes.max(initial=0))
        if longest <= _LONGEST:
            return self._by_words(block, starts, ends, sizes, longest)
        long = sizes > _LONGEST
        codes: Ints = np.empty(len(sizes), dtype=np.int32)
        codes[long] = self._one_by_one(block.data, starts[long], ends[long])
        short = ~long
        if short.any():
            some = starts[short], ends[short], sizes[short]
            codes[short] = self._by_words(block, *some, int(some[2].max()))
        return codes

    def _by_words(
        self, block: Bytes, starts: Longs, ends: Longs, sizes: Longs, longest: int
    ) -> Ints:
        shortest = int(sizes.min(initial=longest))
        words = _fetched(block, starts, sizes, shortest, longest)
        if longest == shortest and _equal(words):
            # Most fields of a log hardly change.
            only = self._numbers[block.data[starts[0] : ends[0]]] if len(starts) else 0
            return np.full(len(starts), only, dtype=np.int32)
        hashes = _hashed(words)
        codes, missing = self._table.find(hashes, words)
        if len(missing):
            hashes, words = hashes[missing], [word[missing] for word in words]
            starts, ends = starts[missing], ends[missing]
            codes[missing] = self._new(block, starts, ends, hashes, words)
        return codes

    def _new(
        self, block: Bytes, starts: Longs, ends: Longs, hashes: _Words, words: list[_Words]
    ) -> Ints:
        """Of each new value one is learnt and kept; the others are found then, or looked up."""
        first = np.unique(hashes, return_index=True)[1]
        learnt = self._one_by_one(block.data, starts[first], ends[first], new=True)
        self._table.keep(hashes[first], [word[first] for word in words], learnt)
        codes, rest = self._table.find(hashes, words)
        codes[first] = learnt
        codes[rest] = self._one_by_one(block.data, starts[rest], ends[rest])
        return codes

    def _one_by_one(self, data: bytes, starts: Longs, ends: Longs, *, new: bool = False) -> Ints:
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        values = [data[start:end] for start, end in pairs]
        if new:
            self._learn_all(values)
        return np.fromiter(
            map(self._numbers.__getitem__, values), dtype=np.int32, count=len(values)
        )

    def _learn_all(self, values: list[bytes]) -> None:
        """Numbers for many values at once, those that have none yet."""
        new = [value for value in values if value not in self._numbers]
        texts = list(map(decode, new))
        codes = range(len(self.texts), len(self.texts) + len(texts))
        if len(set(texts)) == len(texts) and self.values.keys().isdisjoint(texts):
            self.values.update(zip(texts, codes, strict=True))
            self._numbers.update(zip(new, codes, strict=True))
            self.texts += texts
            self._numbers.size += sum(map(len, new))


class _Numbers(dict[bytes, int]):
    """The number of a value; a new value gets one as it is asked for.

    It knows nothing of the dictionary it is of: what refers to itself stays in memory until somebody
    looks for such things, and a large log makes many dictionaries.
    """

    def __init__(self) -> None:
        super().__init__()
        self.codes: dict[str, int] = {}
        self.texts: list[str] = []
        self.size = 0
        """Bytes of all values."""

    def __missing__(self, value: bytes) -> int:
        text = decode(value)
        code = self[value] = self.codes.setdefault(text, len(self.texts))
        if code == len(self.texts):
            self.texts.append(text)
        self.size += len(value)
        return code


class _Table:
    """Short values by their hash: what stands in a slot is compared, what finds no slot is not kept."""

    def __init__(self) -> None:
        # The first entry is none: its code is that of no value.
        # Numbers of the width that numpy looks things up by: others would be converted each time.
        self._slots: Longs = np.zeros(1, dtype=np.int64)
        self._hashes = np.zeros(1, dtype=np.uint64)
        self._codes = np.full(1, -1, dtype=np.int32)
        self._words: list[_Words] = []

    def find(self, hashes: _Words, words: Sequence[_Words]) -> tuple[Ints, Longs]:
        """The codes of values, and the places of those that are not kept: their codes mean nothing."""
        first, second = self._places(hashes)
        codes, left = self._compared(first, words)
        if len(left) and len(self._codes) > 1:
            codes[left], still = self._compared(second[left], [word[left] for word in words])
            left = left[still]
        return codes, left

    def _compared(self, slots: Longs, words: Sequence[_Words]) -> tuple[Ints, Longs]:
        entries = self._slots.take(slots)
        codes: Ints = self._codes.take(entries)
        same = codes >= 0
        for own, word in zip_longest(self._words, words):
            same &= (0 if own is None else own.take(entries)) == (0 if word is None else word)
        return codes, np.flatnonzero(~same)

    def keep(self, hashes: _Words, words: Sequence[_Words], codes: Ints) -> None:
        """Keep values that were not found. One whose slots are both taken is not: it would never be
        found, and be kept again and again.
        """
        room = (len(self._codes) + len(codes)) * _ROOM
        if room > len(self._slots):
            self._slots = np.zeros(1 << (room * 2 - 1).bit_length(), dtype=np.int64)
            before = self._hashes[1:], [word[1:] for word in self._words], self._codes[1:]
            self._hashes, self._codes = self._hashes[:1], self._codes[:1]
            self._words = [word[:1] for word in self._words]
            self._append(*before)
        self._append(hashes, words, codes)

    def _append(self, hashes: _Words, words: Sequence[_Words], codes: Ints) -> None:
        none = np.zeros(len(self._codes), dtype=np.uint64)
        kept = self._placed(hashes)
        nothing = np.zeros(len(kept), dtype=np.uint64)
        self._words = [
            np.concatenate((none if own is None else own, nothing if word is None else word[kept]))
            for own, word in zip_longest(self._words, words)
        ]
        self._hashes = np.concatenate((self._hashes, hashes[kept]))
        self._codes = np.concatenate((self._codes, codes[kept]))

    def _placed(self, hashes: _Words) -> Longs:
        """Slots for the next entries; which of the values get one."""
        slots: Longs = np.full(len(hashes), -1, dtype=np.int64)
        for places in self._places(hashes):
            left = np.flatnonzero(slots < 0)
            left = left[self._slots[places[left]] == 0]
            # Of several that want one slot the last has it.
            self._slots[places[left]] = ~left
            left = left[self._slots[places[left]] == ~left]
            slots[left] = places[left]
        kept = np.flatnonzero(slots >= 0)
        self._slots[slots[kept]] = np.arange(len(self._codes), len(self._codes) + len(kept))
        return kept

    def _places(self, hashes: _Words) -> tuple[Longs, Longs]:
        """The two slots in which a value may stand."""
        mask = np.uint64(len(self._slots) - 1)
        return (hashes & mask).view(np.int64), ((hashes >> _HALF) & mask).view(np.int64)


def _equal(words: Sequence[_Words]) -> bool:
    """Whether all values, of one size, are the same."""
    return all(not len(word) or bool((word == word[0]).all()) for word in words)


def _fetched(
    block: Bytes, starts: Longs, sizes: Longs, shortest: int, longest: int
) -> list[_Words]:
    """The words that hold the values, zero behind the end of each."""
    width = -(-longest // _WORD)
    if not width:
        return []
    # What only values above the average have is fetched for these alone.
    usual = -(-int(sizes.sum()) // (_WORD * len(sizes))) or 1
    found = block.fetch(starts, usual)
    words = [_masked(found[:, place], place, sizes, shortest, longest) for place in range(usual)]
    if usual < width:
        rows = np.flatnonzero(sizes > usual * _WORD)
        found, sizes = block.fetch(starts[rows] + usual * _WORD, width - usual), sizes[rows]
        for place in range(usual, width):
            word = np.zeros(len(starts), dtype=np.uint64)
            word[rows] = _masked(found[:, place - usual], place, sizes, shortest, longest)
            words.append(word)
    return words


def _masked(word: _Words, place: int, sizes: Longs, shortest: int, longest: int) -> _Words:
    """The word at one place of each value, without what stands behind the value."""
    masks = _MASKS_AT[place]
    if shortest == longest or shortest >= (place + 1) * _WORD:
        masked: _Words = word & masks[min(shortest, (place + 1) * _WORD)]
        return masked
    return word & masks.take(sizes)


def _hashed(words: Sequence[_Words]) -> _Words:
    """A hash of each value."""
    hashes: _Words = words[0] * _FACTOR
    hashes ^= hashes >> _SHIFT
    for word in words[1:]:
        hashes ^= word
        hashes *= _FACTOR
        hashes ^= hashes >> _SHIFT
    return hashes
