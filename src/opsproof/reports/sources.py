"""Reads what one day's sheet is made from: sealed bundles, the ledger, corrections. The only I/O.

The sheet must come out the same whenever it is made, so it is cut at a line of the ledger: the last
line of the day, or a later correction of something from that day. The head that it prints is the
head of the ledger at that line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from opsproof.errors import TamperedError, UsageError
from opsproof.evidence import sums
from opsproof.evidence.bundle import FINDINGS, INPUTS, OBSERVATIONS
from opsproof.evidence.ids import moment
from opsproof.evidence.ledger import EntryKind, Ledger, LedgerEntry
from opsproof.evidence.model import Run, State, Subject, SubjectKind
from opsproof.evidence.reader import Bundle, load_bundle
from opsproof.evidence.records import RECORD_FILE, RUN_FILE, Correction, read_record
from opsproof.evidence.seal import RECORDS, RUNS
from opsproof.evidence.standing import is_full, is_whole
from opsproof.reports.settings import NOTHING_BEFORE, Before, Lookback, Seen, covers, current

DEFAULT_ZONE = "Asia/Shanghai"
DAILY = "daily"
"""The kind of run whose checks are due every day; others run when they run."""
ESTATE_INPUT = "estate.json"
LOOK_BACK = 60
"""Runs that are read back for the time since when a setting deviates; beyond it is "or earlier"."""


class _Brief(msgspec.Struct, frozen=True):
    """The fields of a finding that a comparison needs."""

    control: str
    control_sha256: str
    subject: Subject
    state: State
    observed: msgspec.Raw


_BRIEF = msgspec.json.Decoder(_Brief)


class SealedRun(msgspec.Struct, frozen=True):
    """A bundle and its line in the ledger."""

    bundle: Bundle
    entry: LedgerEntry


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one sheet is a function of.

    ``runs`` started within the day, oldest first; ``basis`` is the last full daily run before it (of
    another kind where there is none), left out where the day has one of its own.
    ``ledger_line`` is the line at which the sheet is cut, without line feed, and ``length`` its
    number; ``previous_report`` the number of the sheet before this one, empty for the first.
    ``before`` is what earlier runs say of the settings that runs of the day looked at.
    """

    date: date
    zone: str
    inventory: str
    runs: tuple[SealedRun, ...]
    basis: SealedRun | None
    corrections: tuple[Correction, ...]
    length: int
    ledger_line: bytes
    previous_report: str = ""
    before: Before = NOTHING_BEFORE

    @property
    def start(self) -> datetime:
        """00:00 of the day in its zone."""
        return datetime.combine(self.date, time(), ZoneInfo(self.zone))

    @property
    def end(self) -> datetime:
        """24:00 of the day in its zone."""
        return datetime.combine(self.date + timedelta(days=1), time(), ZoneInfo(self.zone))


def read_day(
    reports: Path, day: date, *, inventory: str | None = None, previous_report: str = ""
) -> Day:
    """Gather one day of one inventory.

    Raises:
        UsageError: the ledger holds runs of several inventories and none is named, or of none
            that is named so.
        IncompleteError: a bundle of the day lacks a file, or the ledger is torn.
        TamperedError: what the sheet would say is no longer what was sealed.
    """
    ledger = Ledger(reports)
    entries = ledger.entries
    runs = _runs(reports, entries)
    name = _inventory([run for _, run in runs], inventory)
    runs = [(entry, run) for entry, run in runs if run.inventory == name]
    zone = _zone(reports, runs)
    start = datetime.combine(day, time(), ZoneInfo(zone))
    end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(zone))
    today = [(entry, run) for entry, run in runs if start <= moment(run.started_at) < end]
    before = [(e, r) for e, r in runs if moment(r.started_at) < start and is_full(r)]
    cut = max(
        [entry.seq for entry in entries if moment(entry.at) < end]
        + [entry.seq for entry, _ in today],
        default=0,
    )
    loaded = [_sealed(reports, entry) for entry, _ in today]
    corrections, last = _corrections(reports, entries, loaded)
    cut = max(cut, last)
    lines, _ = ledger.split()
    basis = max(
        before,
        key=lambda pair: (pair[1].kind == DAILY, moment(pair[1].started_at)),
        default=None,
    )
    return Day(
        date=day,
        zone=zone,
        inventory=name,
        runs=tuple(sorted(loaded, key=lambda run: (run.bundle.run.started_at, run.entry.seq))),
        basis=_sealed(reports, basis[0]) if basis and _lacks(basis[1].kind, today) else None,
        corrections=tuple(corrections),
        length=cut,
        ledger_line=lines[cut - 1] if cut else b"",
        previous_report=previous_report,
        before=_settings_before(reports, runs, loaded),
    )


def _lacks(kind: str, today: Sequence[tuple[LedgerEntry, Run]]) -> bool:
    """Whether the day has no whole run of a kind, so that an earlier one must stand for it."""
    return not any(is_whole(run) and run.kind == kind for _, run in today)


def _settings_before(
    reports: Path,
    runs: Sequence[tuple[LedgerEntry, Run]],
    today: Sequence[SealedRun],
) -> Before:
    """What runs before those of the day say of the hosts and settings that these looked at.

    Read from the newest back, only as long as something can be learned, at most ``LOOK_BACK`` runs.
    """
    shown = current([(run.entry.seq, run.bundle) for run in today])
    if not shown.hosts:
        return NOTHING_BEFORE
    lookback = Lookback(shown)
    newest = max(shown.runs)
    older = [(entry, run) for entry, run in runs if covers(run) and entry.seq <= newest]
    looked = 0
    for entry, run in sorted(older, key=lambda pair: -pair[0].seq):
        if lookback.done or looked == LOOK_BACK:
            break
        looked += 1
        lookback.show(entry.seq, run, _setting_lines(reports, entry, shown.controls))
    return lookback.before(complete=looked == len(older))


def _setting_lines(
    reports: Path, entry: LedgerEntry, controls: frozenset[str]
) -> Iterator[tuple[str, str, Seen]]:
    """The findings of these controls, from a file that is what the ledger line seals."""
    path = reports / RUNS / entry.id / FINDINGS
    data = path.read_bytes() if path.is_file() else b""
    if _listing(reports, entry).get(FINDINGS) != hashlib.sha256(data).hexdigest():
        raise _altered(path)
    # Most hosts have most settings alike, so few values stand for hundreds of thousands.
    alike: dict[tuple[State, bytes, str], Seen] = {}
    names: dict[str, str] = {}
    for line in data.splitlines():
        found = _BRIEF.decode(line)
        if found.control in controls and found.subject.kind is SubjectKind.HOST:
            key = (found.state, bytes(found.observed), found.control_sha256)
            seen = alike.get(key) or alike.setdefault(key, Seen(*key))
            host = names.setdefault(found.subject.host, found.subject.host)
            yield host, names.setdefault(found.control, found.control), seen


def time_zone(reports: Path, inventory: str | None = None) -> str:
    """The zone in which the days of an inventory are cut, as its newest run sealed it.

    Raises:
        UsageError: as :func:`read_day`.
    """
    runs = _runs(reports, Ledger(reports).entries)
    name = _inventory([run for _, run in runs], inventory)
    return _zone(reports, [(entry, run) for entry, run in runs if run.inventory == name])


def estate(bundle: Bundle | None) -> dict[str, Any]:
    """The estate's own description as the run sealed it: ``name``, ``mlps_level``, ``time_zone``."""
    data = bundle.inputs.get(ESTATE_INPUT) if bundle else None
    found: Any = msgspec.json.decode(data) if data else {}
    return found if isinstance(found, dict) else {}


def _sealed(reports: Path, entry: LedgerEntry) -> SealedRun:
    """A bundle whose records and inputs are those that its ledger line seals.

    Only what the sheet is made from is compared; all the rest is the business of ``verify``.
    """
    folder = reports / RUNS / entry.id
    bundle = load_bundle(folder)
    listed = _listing(reports, entry)
    names = [RUN_FILE, OBSERVATIONS, FINDINGS, *(f"{INPUTS}/{name}" for name in bundle.inputs)]
    for name in names:
        if listed.get(name) != sums.sha256_file(folder / name):
            raise _altered(folder / name)
    return SealedRun(bundle, entry)


def _listing(reports: Path, entry: LedgerEntry) -> Mapping[str, str]:
    """The hashes that a ledger line seals."""
    listing = reports / RUNS / entry.id / sums.SHA256SUMS
    data = listing.read_bytes() if listing.is_file() else b""
    if hashlib.sha256(data).hexdigest() != entry.sums_sha256:
        raise _altered(listing)
    return sums.parse("sha256", data, where=str(listing))


def _altered(path: Path) -> TamperedError:
    return TamperedError(
        "is not what was sealed", where=str(path), remedy="opsproof verify names all that differs"
    )


def _runs(reports: Path, entries: Sequence[LedgerEntry]) -> list[tuple[LedgerEntry, Run]]:
    return [
        (entry, read_record(reports / RUNS / entry.id / RUN_FILE, Run))
        for entry in entries
        if entry.kind is EntryKind.RUN and (reports / RUNS / entry.id).is_dir()
    ]


def _inventory(runs: Sequence[Run], wanted: str | None) -> str:
    names = sorted({run.inventory for run in runs})
    if wanted is not None:
        return _named(wanted, names)
    if len(names) > 1:
        raise UsageError(
            f"the ledger holds runs of {len(names)} inventories: {', '.join(names)}",
            remedy="name one with --inventory",
        )
    return names[0] if names else ""


def _named(wanted: str, names: Sequence[str]) -> str:
    """The inventory that a person means, who may leave out the folders above it."""
    found = [name for name in names if name == wanted] or [
        name for name in names if Path(name).name == Path(wanted).name
    ]
    if len(found) != 1:
        raise UsageError(
            f"the ledger holds no run of an inventory {wanted!r}"
            if not found
            else f"{wanted!r} may be any of {', '.join(found)}",
            remedy=f"it holds runs of {', '.join(names) or 'none'}",
        )
    return found[0]


def _zone(reports: Path, runs: Sequence[tuple[LedgerEntry, Run]]) -> str:
    """The zone that the newest run of the inventory sealed, else Asia/Shanghai."""
    for entry, _ in reversed(runs):
        file = reports / RUNS / entry.id / "inputs" / ESTATE_INPUT
        if file.is_file():
            return str(msgspec.json.decode(file.read_bytes()).get("time_zone") or DEFAULT_ZONE)
    return DEFAULT_ZONE


def _corrections(
    reports: Path, entries: Sequence[LedgerEntry], runs: Sequence[SealedRun]
) -> tuple[list[Correction], int]:
    """The corrections of anything that these runs hold, and the last one's ledger line."""
    concerned = _concerned_by(runs)
    found = []
    last = 0
    for entry in entries:
        if entry.kind is EntryKind.CORRECTION:
            record = read_record(reports / RECORDS / entry.id / RECORD_FILE, Correction)
            if concerned(record):
                found.append(record)
                last = entry.seq
    return found, last


def _concerned_by(runs: Sequence[SealedRun]) -> Callable[[Correction], bool]:
    ids = {run.entry.id for run in runs}

    def concerned(record: Correction) -> bool:
        if record.run in ids or record.supersedes in ids:
            ids.add(record.id)
            return True
        return False

    return concerned
