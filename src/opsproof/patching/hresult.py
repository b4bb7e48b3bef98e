"""HRESULTs in words, in both languages of the reports."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from opsproof.evidence.schemas.patching import Code

_TOLD = re.compile(
    r"^(?P<text>.*) \((?P<name>[A-Z_0-9a-z]+) 0x(?P<code>[0-9A-Fa-f]{8})\)$", re.DOTALL
)
_IN_TEXT = re.compile(r"0x([0-9A-Fa-f]{8})\b")
_LONGEST = 300


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, str]]:
    text = files("opsproof.patching").joinpath("words.yml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = yaml.safe_load(text)
    return loaded


def code_of(hresult: int, told: str = "") -> Code:
    """An HRESULT (signed or not) with its meaning; ``told`` is what ansible.windows said of it."""
    number = f"0x{hresult & 0xFFFFFFFF:08X}"
    known = _words().get(number)
    if known is not None:
        return Code(hresult=number, **known)
    said = _TOLD.match(told)
    text = said["text"] if said and said["name"] != "UNKNOWN" else "no meaning is known"
    name = said["name"] if said else "UNKNOWN"
    return Code(hresult=number, name=name, zh=text[:_LONGEST], en=text[:_LONGEST])


def code_in(message: Any) -> Code | None:
    """The last HRESULT that a failure message names, None when it names none."""
    numbers = _IN_TEXT.findall(str(message or ""))
    if not numbers:
        return None
    told = str(message).rpartition(" - ")[2]
    return code_of(int(numbers[-1], 16), told)
