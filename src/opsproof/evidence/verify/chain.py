"""Checks of the ledger: the chain of lines, and that lines and sealed folders belong together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from opsproof.errors import IncompleteError, OpsproofError
from opsproof.evidence.canonical import CanonicalError, decode
from opsproof.evidence.ledger import (
    LEDGER,
    NO_PREVIOUS,
    EntryKind,
    Head,
    Ledger,
    LedgerEntry,
    line_sha256,
)
from opsproof.evidence.records import Prune, SealedRecord, read_sealed_record
from opsproof.evidence.seal import RECORDS, RUNS, entry_of, sealed_folders
from opsproof.evidence.verify.result import Verification

FAMILY = {EntryKind.RUN: RUNS, EntryKind.CORRECTION: RECORDS, EntryKind.PRUNE: RECORDS}


@dataclass
class Chain:
    """The ledger's lines as far as they can be read, and what they say about folders."""

    lines: list[bytes] = field(default_factory=list)
    entries: dict[int, LedgerEntry] = field(default_factory=dict)


def check_lines(reports: Path, head: Head | None, result: Verification) -> Chain:
    """Check form, order and links of the lines, and the end against a printed head."""
    lines, torn = Ledger(reports).split()
    chain = Chain(lines)
    for number, line in enumerate(lines, 1):
        place = f"{LEDGER}:{number}"
        try:
            entry = decode(line, LedgerEntry, where=place)
        except CanonicalError as error:
            result.tampered(place, error.what)
            continue
        chain.entries[number] = entry
        previous = line_sha256(lines[number - 2]) if number > 1 else NO_PREVIOUS
        if entry.previous != previous:
            result.tampered(place, f"does not follow line {number - 1} (previous differs)")
        earlier = chain.entries.get(number - 1)
        if earlier is not None and entry.at < earlier.at:
            result.note(
                f"{place} was sealed at {entry.at}, line {number - 1} at {earlier.at}: "
                "the clock went back"
            )
        if entry.seq != number:
            result.tampered(place, f"has number {entry.seq} where {number} belongs")
        result.done["ledger line"] += 1
    if torn:
        result.incomplete(
            f"{LEDGER}:{len(lines) + 1}", "the last line is torn; opsproof ledger repair"
        )
    result.entries = len(lines)
    result.head = str(Head(len(lines), line_sha256(lines[-1]) if lines else NO_PREVIOUS))
    _check_head(lines, head, result)
    return chain


def check_folders(reports: Path, chain: Chain, result: Verification) -> dict[str, SealedRecord]:
    """Check that each line has its folder, word for word, and each folder its line.

    Returns the records that could be read, by id.
    """
    folders = sealed_folders(reports)
    pruned = {prune.run: prune for prune in _prunes(reports, chain)}
    records: dict[str, SealedRecord] = {}
    seen: dict[str, int] = {}
    for number, entry in chain.entries.items():
        place = f"{LEDGER}:{number}"
        if entry.id in seen:
            result.tampered(place, f"{entry.id} is in line {seen[entry.id]} already")
        seen.setdefault(entry.id, number)
        folder = folders.get(entry.id)
        if folder is None or folder.parent.name != FAMILY[entry.kind]:
            _check_missing(entry, pruned.get(entry.id), result)
        elif (record := _check_entry(folder, entry, place, result)) is not None:
            records[entry.id] = record
    for name in sorted(set(folders) - set(seen)):
        _check_loose(folders[name], chain, result)
    _note_rest(reports, result)
    return records


def _check_head(lines: list[bytes], head: Head | None, result: Verification) -> None:
    if head is None:
        result.skip(
            "a cut tail or a full rewrite: give --head LENGTH:SHA256 from a printed, signed report"
        )
    elif head.length > len(lines):
        result.incomplete(
            LEDGER, f"has {len(lines)} lines, the given head says {head.length}: its tail was cut"
        )
    elif head.length and line_sha256(lines[head.length - 1]) != head.sha256:
        result.tampered(f"{LEDGER}:{head.length}", "is not the line that the given head names")
    else:
        result.done["given head"] += 1


def _prunes(reports: Path, chain: Chain) -> Iterable[Prune]:
    """Prune records that the chain holds; their own seals are checked like all others."""
    for entry in chain.entries.values():
        if entry.kind is EntryKind.PRUNE:
            try:
                _, record = read_sealed_record(reports / RECORDS / entry.id)
            except (OpsproofError, OSError):
                continue
            if isinstance(record, Prune):
                yield record


def _check_missing(entry: LedgerEntry, prune: Prune | None, result: Verification) -> None:
    place = f"{FAMILY[entry.kind]}/{entry.id}"
    if prune and prune.whole and prune.sums_sha256 == entry.sums_sha256:
        result.done["removed by retention, as recorded"] += 1
    else:
        result.incomplete(place, f"line {entry.seq} of the ledger names it and it is missing")


def _check_entry(
    folder: Path, entry: LedgerEntry, place: str, result: Verification
) -> SealedRecord | None:
    name = f"{folder.parent.name}/{folder.name}"
    try:
        kind, record = read_sealed_record(folder)
        expected = entry_of(folder, kind, record)
    except IncompleteError as error:
        result.incomplete(name, f"{error.where.removeprefix(str(folder))} {error.what}".strip(" /"))
        return None
    except OpsproofError as error:
        result.tampered(name, str(error.what))
        return None
    result.done["ledger line and folder"] += 1
    wrong = [
        key
        for key in msgspec.structs.asdict(entry)
        if getattr(entry, key) != getattr(expected, key)
    ]
    if wrong:
        result.tampered(place, f"differs from {name} in {', '.join(wrong)}")
    return record


def _check_loose(folder: Path, chain: Chain, result: Verification) -> None:
    name = f"{folder.parent.name}/{folder.name}"
    try:
        kind, record = read_sealed_record(folder)
        entry = entry_of(folder, kind, record)
    except OpsproofError:
        result.tampered(name, "is in no line of the ledger and is not sealed evidence")
        return
    end = line_sha256(chain.lines[-1]) if chain.lines else NO_PREVIOUS
    if entry.previous == end:
        result.incomplete(name, "is sealed and missing from the ledger; the next run takes it up")
    elif entry.seq <= len(chain.lines):
        result.tampered(name, f"claims line {entry.seq} of the ledger, which is another's")
    else:
        result.incomplete(
            LEDGER, f"{name} says it is line {entry.seq}; the ledger ends before: its tail was cut"
        )


def _note_rest(reports: Path, result: Verification) -> None:
    for family in (RUNS, RECORDS):
        for path in sorted((reports / family).glob("*")):
            if path.name.startswith(".") and path.name.endswith(".partial"):
                result.note(f"{family}/{path.name} was never sealed: not evidence, not checked")
            elif not path.is_dir() or path.is_symlink() or path.name.startswith("."):
                result.tampered(f"{family}/{path.name}", "does not belong here")
