"""Faults of business systems, done on purpose: how right signatures become wrong ones in drills."""

from __future__ import annotations

import base64
import html
import quopri
import random
import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from opsproof.evidence.der import tlv
from opsproof.signatures import ecpoints
from opsproof.signatures.cms import write
from opsproof.signatures.encodings import encode
from opsproof.signatures.lab import Signer
from opsproof.signatures.profile import SignatureColumn

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+|(?:[0-9A-F]{2})+")


def _lines(text: str) -> str:
    return "\r\n".join(text[place : place + 76] for place in range(0, len(text), 76)) + "\r\n"


def _quoted_printable(text: str) -> str:
    return quopri.encodestring(text.encode()).decode()


TEXT_DAMAGE: Final[dict[str, Callable[[str], str]]] = {
    "line-breaks": _lines,
    "url-safe": lambda text: text.replace("+", "-").replace("/", "_"),
    "doubled": lambda text: base64.b64encode(text.encode()).decode(),
    "byte-order-mark": lambda text: "\ufeff" + text,
    "padding": lambda text: text.rstrip("="),
    "trailing-blanks": lambda text: text + "   ",
    "quoted-printable": _quoted_printable,
    "percent-encoding": lambda text: quote(text, safe=""),
    "plus-as-blank": lambda text: text.replace("+", " "),
    "html-entities": lambda text: html.escape(text.replace("+", "&#43;"), quote=True).replace(
        "&amp;#43;", "&#43;"
    ),
    "quotes": lambda text: f'"{text}"',
    "armour": lambda text: f"-----BEGIN PKCS7-----\n{_lines(text)}-----END PKCS7-----\n",
    "full-width": lambda text: text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
    "other-encoding": lambda text: _recoded(text),
    "hex-prefix": lambda text: "0x" + (text if _HEX.fullmatch(text) else _recoded(text)),
}


def damaged_text(value: str | bytes, rng: random.Random) -> tuple[str | bytes, str]:
    """A stored value as some transport would spoil it, and the fault's name."""
    text = value if isinstance(value, str) else base64.b64encode(value).decode()
    names = sorted(TEXT_DAMAGE)
    while True:
        name = rng.choice(names)
        changed = TEXT_DAMAGE[name](text)
        if changed != value:
            return (changed if isinstance(value, str) else changed.encode()), name


def other_container(
    signer: Signer, message: bytes, column: SignatureColumn, rng: random.Random
) -> tuple[str | bytes, str]:
    """The right signature in a container that the profile does not want, and its name."""
    raw = signer.key.sign(signer.algorithm, message)
    choices: dict[str, Callable[[], bytes]] = {
        "wrapped": lambda: tlv(0x04, raw),
        "international": lambda: write(
            raw, signer.algorithm, signer.certificate, flavour="international"
        ),
        "chinese-attached": lambda: write(
            raw, signer.algorithm, signer.certificate, flavour="chinese", content=message
        ),
        "plain": lambda: raw,
    }
    if signer.key.family != "rsa":
        choices["rs"] = lambda: ecpoints.der_to_raw(raw, 32)
    own = {
        "raw": "plain",
        "rs": "rs",
        "cms-detached": "international" if column.flavour == "international" else "",
        "cms-attached": "chinese-attached" if column.flavour == "chinese" else "",
    }
    name = rng.choice([one for one in sorted(choices) if one != own[column.form]])
    return encode(choices[name](), column.encoding), name


def destroyed(value: bytes, encoding: str, rng: random.Random) -> str | bytes:
    """A signature of which nothing can be saved: some of its last bytes are others."""
    tail = bytes(byte ^ rng.randrange(1, 256) for byte in value[-8:])
    return encode(value[:-8] + tail, encoding)


def _recoded(text: str) -> str:
    """Hexadecimal text as base64, base64 as hexadecimal text."""
    if _HEX.fullmatch(text):
        return base64.b64encode(bytes.fromhex(text)).decode()
    return base64.b64decode(text).hex().upper()
