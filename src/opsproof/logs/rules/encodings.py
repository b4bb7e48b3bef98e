"""Modifiers that encode a value: ``utf16le`` or ``wide``, ``utf16be``, ``utf16``, ``base64(offset)``.

Meaning: "Sigma Modifiers", sections "Encoding modifiers" and "base64offset". pySigma 1 takes bytes for
text on the way: its ``utf16`` writes the byte-order mark in UTF-8, ``wide`` refuses what is not ASCII,
``base64offset`` cuts by characters what has to be cut by bytes, and it knows no ``utf16le``. Here the
encodings hand bytes on, so that a value in Chinese is found wherever it stands in base64.
"""

from __future__ import annotations

import codecs
from base64 import b64encode
from typing import Any, ClassVar

from sigma.exceptions import SigmaValueError
from sigma.modifiers import SigmaModifier, SigmaValueModifier, modifier_mapping
from sigma.types import SigmaExpansion, SigmaString

_SKIPPED = (0, 2, 3)
"""Digits at the beginning that also hold what stands before the value, by its offset."""

_CUT = (None, -3, -2)
"""Digits at the end that also hold what stands behind, by the last byte's place among three."""


class _Encoded(SigmaString):
    """A text and the bytes it stands for."""

    data: bytes = b""


class _Wide(SigmaValueModifier[SigmaString, SigmaString]):
    """UTF-16 in one order of bytes, or with a mark that tells it."""

    codec: ClassVar[str]
    mark: ClassVar[bytes] = b""

    def modify(self, val: SigmaString) -> SigmaString:
        """The value with the bytes that it is in this encoding."""
        encoded = _Encoded()
        encoded.data = self.mark + _plain(val).encode(self.codec)
        encoded.s = [encoded.data.decode("latin-1")]
        return encoded


class _Utf16Le(_Wide):
    codec = "utf-16-le"


class _Utf16Be(_Wide):
    codec = "utf-16-be"


class _Utf16(_Wide):
    codec = "utf-16-le"
    mark = codecs.BOM_UTF16_LE


class _Base64(SigmaValueModifier[SigmaString, SigmaString]):
    """The value's bytes in base64, where nothing stands before or behind them."""

    def modify(self, val: SigmaString) -> SigmaString:
        """The digits."""
        return SigmaString(b64encode(_bytes(val)).decode())


class _Base64Offset(SigmaValueModifier[SigmaString, SigmaExpansion]):
    """The digits that hold nothing but the value's bytes, for each place they may have among three."""

    def modify(self, val: SigmaString) -> SigmaExpansion:
        """One text for each offset."""
        data = _bytes(val)
        return SigmaExpansion(
            [
                SigmaString(
                    b64encode(b"\0" * offset + data)[
                        _SKIPPED[offset] : _CUT[(len(data) + offset) % 3]
                    ].decode()
                )
                for offset in range(3)
            ]
        )


def _bytes(value: SigmaString) -> bytes:
    return value.data if isinstance(value, _Encoded) else _plain(value).encode()


def _plain(value: SigmaString) -> str:
    if value.contains_special():
        raise SigmaValueError("a value with wildcards cannot be encoded")
    return str(value)


def use_ours() -> None:
    """Let pySigma parse rules with these modifiers."""
    ours: dict[str, type[SigmaModifier[Any, Any]]] = {
        "wide": _Utf16Le,
        "utf16le": _Utf16Le,
        "utf16be": _Utf16Be,
        "utf16": _Utf16,
        "base64": _Base64,
        "base64offset": _Base64Offset,
    }
    modifier_mapping.update(ours)
