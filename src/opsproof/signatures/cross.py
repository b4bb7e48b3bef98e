"""Records whose signature belongs to another record: swapped, or a copy of a valid one.

An RSA PKCS #1 v1.5 signature and a signed message with attributes say which digest they are over,
so one pass over the table finds their owner. Other signatures are tried against records that lack
a right one, nearest in key order first and up to a limit, which the evidence names.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from opsproof.signatures import encodings, sm2
from opsproof.signatures.check import Row
from opsproof.signatures.cms import SignedMessage
from opsproof.signatures.database import Database, reading
from opsproof.signatures.diagnose import UNRESOLVED, Diagnoser, Match, with_class
from opsproof.signatures.encodings import Reading
from opsproof.signatures.errors import MalformedError, NotVerifiableError
from opsproof.signatures.forms import Raw
from opsproof.signatures.model import Diagnosis, RecordClass, key_digest
from opsproof.signatures.profile import Profile
from opsproof.signatures.quick import compile_decoder
from opsproof.signatures.serialise import compile_columns
from opsproof.signatures.workbook import Workbook

MOST_PAIRS = 50_000
_CHUNK = 20_000
_OWNERLESS = frozenset(
    {RecordClass.NOT_RECOVERABLE, RecordClass.MISSING, RecordClass.SWAPPED, RecordClass.DUPLICATE}
)


@dataclass
class _Probe:
    """One unresolved record and everything its stored value may be.

    ``blind``: its signature is over an SM3 digest, which cannot be looked for without the library.
    """

    row: Row
    possible: list[tuple[Reading, Raw | SignedMessage]]
    owner: Row | None = None
    match: Match | None = None
    tried: int = 0
    blind: bool = False


@dataclass
class _Index:
    by_digest: dict[tuple[str, bytes], list[_Probe]] = field(default_factory=dict)
    by_bytes: dict[bytes, list[_Probe]] = field(default_factory=dict)
    silent: list[_Probe] = field(default_factory=list)


def resolve(
    database: Database, diagnoser: Diagnoser, workbook: Workbook, *, most_pairs: int = MOST_PAIRS
) -> None:
    """Look for the owners of all unresolved signatures and write down what they are."""
    for chunk in _chunks(workbook):
        rows = fetch_rows(database, diagnoser, [one.key for one in chunk])
        probes = [_Probe(rows[one.key], []) for one in chunk if one.key in rows]
        for probe in probes:
            probe.possible = list(diagnoser.possible(probe.row))
        index = _indexed(diagnoser, probes)
        _pass(database, diagnoser, index)
        _pairs(database, diagnoser, workbook, index.silent, most_pairs)
        with sm2.quiet():
            _write_down(diagnoser, workbook, probes, {one.key: one for one in chunk})


def fetch_rows(
    database: Database, diagnoser: Diagnoser, keys: list[tuple[Any, ...]]
) -> dict[tuple[Any, ...], Row]:
    """The records with these keys as they are now."""
    found: dict[tuple[Any, ...], Row] = {}
    with reading(database.engine) as connection:
        for begin in range(0, len(keys), 200):
            for key, cells in database.fetch(connection, keys[begin : begin + 200]).items():
                found[key] = diagnoser.checker.row(cells)
    return found


def _chunks(workbook: Workbook) -> Iterator[list[Diagnosis]]:
    chunk: list[Diagnosis] = []
    for one in workbook.found():
        if one.detail == UNRESOLVED:
            chunk.append(one)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _indexed(diagnoser: Diagnoser, probes: list[_Probe]) -> _Index:
    index = _Index()
    for probe in probes:
        spoke = False
        for read, found in probe.possible:
            index.by_bytes.setdefault(read.data, []).append(probe)
            for key in _digests(diagnoser, probe.row, found):
                spoke = True
                probe.blind = probe.blind or (key[0] == "sm3" and not sm2.available())
                index.by_digest.setdefault(key, []).append(probe)
        if not spoke:
            index.silent.append(probe)
    return index


def _digests(
    diagnoser: Diagnoser, row: Row, found: Raw | SignedMessage
) -> Iterator[tuple[str, bytes]]:
    if isinstance(found, SignedMessage) and found.message_digest is not None:
        yield found.digest, found.message_digest
        return
    named = diagnoser.checker.referenced(row.reference)
    for certificate in diagnoser.candidates(found, named):
        try:
            key = certificate.key
        except (MalformedError, NotVerifiableError):
            continue
        data = found.signature if isinstance(found, SignedMessage) else found.data
        if key.family != "rsa" or len(data) != key.size:
            continue
        for algorithm in diagnoser.checker.algorithms:
            digest = key.recover_digest(algorithm, data)
            if digest is not None:
                yield algorithm.digest, digest


def _pass(database: Database, diagnoser: Diagnoser, index: _Index) -> None:
    """One look at every record: does one of the signatures belong to it?"""
    if not index.by_bytes:
        return
    checker = diagnoser.checker
    hashers = _hashers(index)
    look = _compile_look(checker.profile, index, hashers)
    for batch in database.stream():
        for cells in look(batch):
            row = checker.row(cells)
            message = checker.message(row.values)
            if message is None:
                continue
            probes = [
                probe
                for name, hashed in hashers.items()
                for probe in index.by_digest.get((name, hashed(message)), ())
            ]
            if isinstance(row.signature, (str, bytes)):
                probes += _same_bytes(diagnoser, row, index)
            with sm2.quiet():
                for probe in probes:
                    _try(diagnoser, probe, row, message)


def _compile_look(
    profile: Profile, index: _Index, hashers: dict[str, Callable[[bytes], bytes]]
) -> Callable[[Sequence[Sequence[Any]]], Iterator[Sequence[Any]]]:
    """What finds the records of a batch that a signature may belong to, column by column.

    A record at a time would take as long as verifying it.
    """
    messages = compile_columns(profile.fields, profile.serialisation)
    decode = compile_decoder(profile.signature)
    fields = [profile.columns.index(one.column) for one in profile.fields]
    signature = profile.columns.index(profile.signature.column)
    by_digest, by_bytes = index.by_digest, index.by_bytes

    def look(batch: Sequence[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        columns = list(zip(*batch, strict=True))
        written = messages([columns[place] for place in fields])
        for cells, message, data in zip(batch, written, decode(columns[signature]), strict=True):
            if message is not None and (
                data in by_bytes
                or any((name, hashed(message)) in by_digest for name, hashed in hashers.items())
            ):
                yield cells

    return look


def _hashers(index: _Index) -> dict[str, Callable[[bytes], bytes]]:
    """The digests that signatures speak of and that can be made here."""
    names = sorted({name for name, _ in index.by_digest if name != "sm3" or sm2.available()})
    return {
        name: sm2.sm3 if name == "sm3" else partial(_hash, getattr(hashlib, name)) for name in names
    }


def _same_bytes(diagnoser: Diagnoser, row: Row, index: _Index) -> list[_Probe]:
    try:
        data = encodings.decode(row.signature, diagnoser.checker.profile.signature.encoding)
    except MalformedError:
        return []
    return [one for one in index.by_bytes.get(data, ()) if one.row.key != row.key]


def _try(diagnoser: Diagnoser, probe: _Probe, row: Row, message: bytes) -> bool:
    """Whether the probe's signature is this record's."""
    if probe.owner is not None or probe.row.key == row.key:
        return False
    probe.tried += 1
    checker = diagnoser.checker
    named = [*checker.referenced(probe.row.reference), *checker.referenced(row.reference)]
    for read, found in probe.possible:
        for certificate in _narrow(diagnoser, found, named):
            try:
                algorithm = checker.holds(message, found, certificate)
            except NotVerifiableError:
                continue
            if algorithm is not None:
                probe.owner = row
                probe.match = Match(read, found, certificate, algorithm)
                return True
    return False


def _narrow(diagnoser: Diagnoser, found: Raw | SignedMessage, named: list[Any]) -> list[Any]:
    """The two records' own signers; all of them only where the signature costs little to try."""
    if isinstance(found, SignedMessage):
        return diagnoser.candidates(found, named)
    if len(found.data) >= 128:
        return diagnoser.candidates(found, named)
    return list(dict.fromkeys(named))


def _pairs(
    database: Database,
    diagnoser: Diagnoser,
    workbook: Workbook,
    silent: list[_Probe],
    most_pairs: int,
) -> None:
    """Signatures that do not say what they are over, against records without a right one."""
    waiting = [probe for probe in silent if probe.owner is None]
    if not waiting:
        return
    ownerless = (one.key for one in workbook.found() if one.record_class in _OWNERLESS)
    keys = list(itertools.islice(ownerless, _CHUNK))
    rows = fetch_rows(database, diagnoser, keys)
    places = {key: place for place, key in enumerate(keys)}
    messages = [
        diagnoser.checker.message(rows[key].values) if key in rows else None for key in keys
    ]
    left = most_pairs
    with sm2.quiet():
        for distance in range(1, len(keys)):
            for probe in waiting:
                here = places.get(probe.row.key)
                for place in () if here is None else (here - distance, here + distance):
                    message = messages[place] if 0 <= place < len(keys) else None
                    if message is None or left <= 0:
                        continue
                    left -= 1
                    _try(diagnoser, probe, rows[keys[place]], message)
            waiting = [probe for probe in waiting if probe.owner is None]
            if left <= 0 or not waiting:
                return


def _write_down(
    diagnoser: Diagnoser,
    workbook: Workbook,
    probes: list[_Probe],
    diagnoses: dict[tuple[Any, ...], Diagnosis],
) -> None:
    repairs: list[Diagnosis] = []
    for probe in probes:
        old = diagnoses[probe.row.key]
        if probe.owner is None or probe.match is None:
            missed = RecordClass.NOT_VERIFIABLE if probe.blind else RecordClass.NOT_RECOVERABLE
            detail = "no record, certificate or serialisation at hand fits the signature"
            if probe.blind:
                detail = f"it is over an SM3 digest: {sm2.NEEDED}"
            workbook.add_found([with_class(old, missed, detail, records_tried=str(probe.tried))])
            continue
        owner = workbook.found_of(probe.owner.key)
        ownerless = owner is not None and owner.record_class in _OWNERLESS
        kind = RecordClass.SWAPPED if ownerless else RecordClass.DUPLICATE
        detail = "the signature belongs to another record"
        if not ownerless:
            detail = "a copy of the signature of another record"
        name = key_digest(probe.owner.key)
        workbook.add_found([with_class(old, kind, detail, belongs_to=name)])
        if owner is not None and ownerless:
            change = diagnoser.repair(probe.owner, probe.match)
            if change is not None:
                repairs.append(
                    Diagnosis(
                        probe.owner.key,
                        owner.record_class,
                        owner.detail,
                        {"found_at": key_digest(probe.row.key)},
                        change,
                    )
                )
    _add_repairs(workbook, repairs)


def _add_repairs(workbook: Workbook, repairs: list[Diagnosis]) -> None:
    """After all classes are known: the owner keeps its class and gets its own signature back."""
    for repair in repairs:
        owner = workbook.found_of(repair.key)
        if owner is not None:
            evidence = {**owner.evidence, **repair.evidence}
            workbook.add_found(
                [Diagnosis(owner.key, owner.record_class, owner.detail, evidence, repair.repair)]
            )


def _hash(new: Callable[..., Any], message: bytes) -> bytes:
    digest: bytes = new(message, usedforsecurity=False).digest()
    return digest
