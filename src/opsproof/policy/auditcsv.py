"""audit.csv: advanced audit policy in a GPO, and what ``auditpol /backup`` writes.

Format: [MS-GPAC] 2.2.1. Columns are read by position, never by their translated heading: machine
name, target, subcategory, GUID, inclusion, exclusion, setting value (0 none, 1 success, 2 failure,
3 both; per-user lines use their own bits). Global options carry no GUID but a name ("Option:...").
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

from opsproof.policy.damage import DamagedError, lines_of

_GUID = re.compile(r"\{[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}")
_HEADING = (
    "Machine Name,Policy Target,Subcategory,Subcategory GUID,"
    "Inclusion Setting,Exclusion Setting,Setting Value"
)
_WORDS = {0: "No Auditing", 1: "Success", 2: "Failure", 3: "Success and Failure"}
_COLUMNS = 7


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line. ``guid`` is lower case in braces, "" for options; ``value`` is the number, or text.

    ``target`` is "System", a SID for a user, or the translated word: only lines with an empty or
    translated target and a GUID speak of the whole machine (:attr:`machine_wide`).
    """

    machine: str
    target: str
    subcategory: str
    guid: str
    inclusion: str
    exclusion: str
    value: str

    @property
    def machine_wide(self) -> bool:
        """Whether the line is the machine's policy and not a user's."""
        return bool(self.guid) and not self.target.upper().startswith("S-1-")

    @property
    def flags(self) -> int:
        """Success 1 + failure 2."""
        return int(self.value) & 3


def parse(data: bytes, *, name: str, code_page: str = "utf-8") -> tuple[AuditLine, ...]:
    """All lines below the heading. ``code_page`` decodes a file without a byte order mark.

    Raises:
        DamagedError: with file and byte offset.
    """
    text, codec, mark = _decoded(data, name, code_page)
    if not text.strip():
        raise DamagedError("is empty", name=name, offset=0)
    lines: list[AuditLine] = []
    for number, (at, raw) in enumerate(lines_of(text, codec, mark)):
        if raw.strip("\r\n\0 ") and number:
            lines.append(_line(raw, name, at))
        elif not number and raw.count(",") < _COLUMNS - 1:
            raise DamagedError("the heading has not seven columns", name=name, offset=at)
    return tuple(lines)


def serialise(lines: Iterable[AuditLine]) -> bytes:
    """The file as a GPO holds it and ``auditpol /restore`` reads it, ASCII where names are."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for line in lines:
        writer.writerow(
            (
                line.machine,
                line.target,
                line.subcategory,
                line.guid,
                line.inclusion,
                line.exclusion,
                line.value,
            )
        )
    return f"{_HEADING}\r\n{out.getvalue()}".encode()


def machine_line(guid: str, flags: int, *, subcategory: str = "") -> AuditLine:
    """A line that sets a subcategory for the whole machine; ``flags`` success 1 + failure 2."""
    return AuditLine("", "System", subcategory or guid, guid.lower(), _WORDS[flags], "", str(flags))


def _decoded(data: bytes, name: str, code_page: str) -> tuple[str, str, int]:
    codec, mark = code_page, 0
    for bom, known in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF8, "utf-8")):
        if data.startswith(bom):
            codec, mark = known, len(bom)
            break
    try:
        return data[mark:].decode(codec), codec, mark
    except UnicodeDecodeError as error:
        raise DamagedError(
            f"is not {codec} text",
            name=name,
            offset=mark + error.start,
            remedy="name the code page it was exported in",
        ) from error


def _line(raw: str, name: str, at: int) -> AuditLine:
    try:
        [cells] = csv.reader([raw.rstrip("\r\n\0")], strict=True)
    except (csv.Error, ValueError) as error:
        raise DamagedError(f"a line is not CSV: {error}", name=name, offset=at) from error
    if len(cells) != _COLUMNS:
        raise DamagedError(f"a line has {len(cells)} columns, not seven", name=name, offset=at)
    guid = cells[3].strip()
    if guid and not _GUID.fullmatch(guid):
        raise DamagedError(f"{guid!r} is no GUID", name=name, offset=at)
    if guid and not (cells[6].strip().isdecimal() and int(cells[6]) < 2**8):
        raise DamagedError(f"{cells[6]!r} is no setting", name=name, offset=at)
    machine, target, subcategory, _, inclusion, exclusion, value = cells
    return AuditLine(
        machine, target, subcategory, guid.lower(), inclusion, exclusion, value.strip()
    )
