"""The batch file that copies logs aside and packs them, and what it printed.

It travels on the standard input of one command into the scratch folder, so that no line of it comes
near the limit of cmd.exe however many files there are. Files are copied before they are packed: a
log that grows meanwhile stays one state of itself.

Sources on Microsoft Learn: "wevtutil" (export-log), "robocopy", "makecab" and the directives of
"Microsoft Cabinet Format", "certutil" (-hashfile), "Netsh http commands" (flush logbuffer).
"""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from opsproof.collection.listing import errors
from opsproof.collection.look import refuse_unsafe
from opsproof.collection.model import GONE, Item, Kind, State, state_of
from opsproof.collection.plan import OVERLAP, Plan
from opsproof.errors import IncompleteError
from opsproof.evidence.ids import moment
from opsproof.evidence.model import Record
from opsproof.inspection.batch import Batch
from opsproof.inspection.command import LAST, MARKER

SCRIPT = "pack.cmd"
_LONGEST_LINE = 6000
"""Characters of one robocopy line; cmd.exe reads 8,191 after variables are replaced."""

_PLAIN = re.compile(r"[A-Za-z0-9_.,@#$+=~{}\[\] -]+")
"""Names that makecab's directive file can hold; others are renamed (its code page is not ours)."""

_DIRECTIVES = (
    ".Set DiskDirectoryTemplate=",
    ".Set MaxDiskSize=0",
    ".Set CompressionType=MSZIP",
    ".Set UniqueFiles=off",
    ".Set RptFileName=nul",
    ".Set InfFileName=nul",
)
_HASH = re.compile(r"^\s*((?:[0-9a-f]{2} ?){32})\s*$", re.IGNORECASE | re.MULTILINE)


def pack_command(scratch: str) -> str:
    """The line that takes the batch file from its standard input and runs it.

    The folder of a collection that was cut off goes first.
    """
    refuse_unsafe(scratch, "log_collection_scratch")
    clean = f'(if exist "{scratch}" rd /s /q "{scratch}")'
    # Each step only after the one before: nothing is written anywhere but in the folder.
    steps = " && ".join(
        (
            f'mkdir "{scratch}"',
            f'cd /d "{scratch}"',
            f"echo {MARKER}scratch {scratch}",
            # Code page 65001 so that names of files in any language survive the batch file.
            "chcp 65001 >nul",
            f'findstr "^" >{SCRIPT}',
            f"call {SCRIPT}",
        )
    )
    return f"{clean} & {steps} & {LAST}"


def pack_script(plan: Plan) -> str:
    """The batch file: for every part copy, pack and hash."""
    lines = ["@echo off", *_section("flush", "netsh http flush logbuffer >nul"), "md e", "md f"]
    number = 0
    for index, part in enumerate(plan.parts):
        lines += _part(index, part, number, plan.until)
        number += len(part)
    return "\r\n".join(lines) + "\r\n"


def _section(name: str, *commands: str) -> list[str]:
    return [f"echo {MARKER}begin {name}", *commands, f"echo {MARKER}end %errorlevel%"]


def _part(index: int, items: Sequence[Item], first: int, until: str) -> Iterator[str]:
    yield f">p{index}.ddf echo .Set CabinetNameTemplate={index}.cab"
    yield from (f">>p{index}.ddf echo {directive}" for directive in _DIRECTIVES)
    numbered = list(enumerate(items, first))
    for number, item in numbered:
        if item.kind is Kind.EVENTS:
            yield from _export(index, number, item, until)
    files = [(number, item) for number, item in numbered if item.kind is not Kind.EVENTS]
    by_folder = groupby(files, key=lambda pair: ntpath.dirname(pair[1].path))
    for folder, group in by_folder:
        yield from _copies(index, folder, list(group))
    # No goto: cmd.exe looks for labels by bytes, which names of files in other letters may shift.
    for line in (
        *_section(f"pack {index}", f"makecab /F p{index}.ddf >nul"),
        *_section(f"hash {index}", f"certutil -hashfile {index}.cab SHA256"),
    ):
        yield f"if exist p{index}.any {line}"
    yield "rd /s /q e"
    yield "rd /s /q f"
    yield "md e"
    yield "md f"


def _export(index: int, number: int, item: Item, until: str) -> Iterator[str]:
    first, end = _stamp(moment(item.since) - OVERLAP), _stamp(moment(until))
    query = f"*[System[TimeCreated[@SystemTime>='{first}' and @SystemTime<'{end}']]]"
    yield from _section(
        f"export {number}", f'wevtutil epl "{_literal(item.path)}" e\\{number}.evtx "/q:{query}"'
    )
    yield from _take(index, number, item, f"e\\{number}.evtx")


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.000Z}"


def _take(index: int, number: int, item: Item, place: str) -> Iterator[str]:
    inside = inside_name(number, item)
    yield f'if exist "{place}" >>p{index}.ddf echo "{place}" "{inside}"'
    yield f'if exist "{place}" (>p{index}.any echo 1) else echo {MARKER}absent {number}'


def inside_name(number: int, item: Item) -> str:
    """The name in the cabinet: the number tells the item, the rest is for whoever opens it."""
    name = f"{item.path}.evtx" if item.kind is Kind.EVENTS else ntpath.basename(item.path)
    # Percent signs would be variables of the directive file, other letters are not of its code page.
    return f"{number}\\{re.sub(r'[^A-Za-z0-9_., -]', '_', name)}"


def _copies(index: int, folder: str, files: Sequence[tuple[int, Item]]) -> Iterator[str]:
    place = f"f\\{files[0][0]}"
    for chunk in _chunks([item.path for _, item in files]):
        names = " ".join(f'"{_literal(ntpath.basename(path))}"' for path in chunk)
        command = (
            f'robocopy "{_literal(folder)}" {place} {names} '
            "/r:0 /w:0 /njh /njs /nfl /ndl /nc /ns /np /copy:dat"
        )
        number = next(n for n, item in files if item.path == chunk[0])
        yield from _section(f"copy {number}", command)
    for number, item in files:
        name = _literal(ntpath.basename(item.path))
        copied = f"{place}\\{name}"
        if not _PLAIN.fullmatch(ntpath.basename(item.path)):
            yield f'if exist "{copied}" ren "{copied}" "{number}.log"'
            copied = f"{place}\\{number}.log"
        if item.known:
            yield (
                f'certutil -hashfile "{copied}" SHA256 | findstr /i "{item.known}" >nul '
                f'&& (echo {MARKER}absent same-{number} & del "{copied}")'
            )
        yield from _take(index, number, item, copied)


def _chunks(paths: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for path in paths:
        if chunk and size + len(path) > _LONGEST_LINE:
            yield chunk
            chunk, size = [], 0
        chunk.append(path)
        size += len(path)
    if chunk:
        yield chunk


def _literal(name: str) -> str:
    """A name inside quotes in a batch file: there only the percent sign still means something."""
    return name.replace("%", "%%")


class Packed(Record, frozen=True, kw_only=True):
    """One cabinet on the host, with its SHA-256 as the host computed it; ``items`` by number."""

    index: int
    path: str
    sha256: str
    items: dict[int, Item]


class Answer(Record, frozen=True, kw_only=True):
    """What the batch file did: cabinets, and for every item that is in none why so."""

    scratch: str
    packed: tuple[Packed, ...]
    left: dict[int, tuple[State, int]]


def read_pack(batch: Batch, plan: Plan) -> Answer:
    """The answer of the batch file.

    Raises :class:`IncompleteError` when the host was cut off within it.
    """
    if batch.scratch is None or "flush" not in batch.sections:
        raise IncompleteError(
            "the host did not run the batch file",
            remedy="look at the scratch folder: is there room, may the account write there?",
        )
    left = _left(batch, plan)
    packed = []
    number = 0
    for index, part in enumerate(plan.parts):
        numbers = range(number, number + len(part))
        number += len(part)
        inside = {n: plan.items[n] for n in numbers if n not in left}
        if not inside:
            continue
        made = batch.section(f"pack {index}")
        match = _HASH.search(batch.section(f"hash {index}").text)
        if not made.ok or match is None:
            # makecab ends with 1 whatever went wrong; what it lacks most often is room.
            left.update((n, (State.FAILED, made.code or 1)) for n in inside)
            continue
        packed.append(
            Packed(
                index=index,
                path=f"{batch.scratch}\\{index}.cab",
                sha256=match[1].replace(" ", "").lower(),
                items=inside,
            )
        )
    return Answer(scratch=batch.scratch, packed=tuple(packed), left=left)


def _left(batch: Batch, plan: Plan) -> dict[int, tuple[State, int]]:
    left: dict[int, tuple[State, int]] = {}
    codes: dict[str, int] = {}
    for section in batch.named("copy").values():
        codes.update(errors(section.text))
    for number, item in enumerate(plan.items):
        if f"same-{number}" in batch.absent:
            left[number] = (State.UNCHANGED, 0)
        elif item.kind is Kind.EVENTS:
            code = batch.section(f"export {number}").code
            if code != 0:
                left[number] = (state_of(code or 1), code or 1)
        elif str(number) in batch.absent:
            code = codes.get(item.path.lower(), GONE)
            left[number] = (state_of(code), code)
    return left
