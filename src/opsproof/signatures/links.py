"""Failures in data logs and the records they concern: counted by record and kind, judged as they are.

Everything that logs say is kept in one SQLite file without a name (keys may be personal: a killed process
leaves nothing), so that memory stays bounded whatever the size of the logs.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from opsproof.evidence.schemas.signatures import FailureCounts, InterfaceFacts, LinkedRecord
from opsproof.signatures import sm2
from opsproof.signatures.anomalies import Failure, Kind, LogReader
from opsproof.signatures.check import Checker
from opsproof.signatures.database import Database, reading
from opsproof.signatures.errors import NotVerifiableError
from opsproof.signatures.keyform import KeyForm
from opsproof.signatures.model import SHOWN, Diagnosis, Progress, RecordClass, key_digest, silent
from opsproof.signatures.workbook import Workbook

BUFFER: Final = 20_000
"""Records kept in memory before they are counted in the file."""

_BATCH: Final = 200
_TABLES: Final = """
create table link(
  kind text not null, key text not null, lines integer not null, first text, last text,
  file text not null, line integer not null, standing text, digest text, class text,
  primary key (key, kind)) without rowid;
create table nameless(kind text not null, first text, last text, lines integer not null);
"""
_UPSERT: Final = """
insert into link(kind, key, lines, first, last, file, line) values (?, ?, ?, ?, ?, ?, ?)
on conflict(key, kind) do update set lines = lines + excluded.lines,
  first = coalesce(min(first, excluded.first), first, excluded.first),
  last = coalesce(max(last, excluded.last), last, excluded.last)
"""


class Links:
    """What logs say of records."""

    def __init__(self, folder: Path, form: KeyForm) -> None:
        """Begin with an empty file in ``folder``, which must have room for it."""
        self._form = form
        path = folder / f".links-{os.getpid()}.db"
        os.close(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600))
        try:
            self._db = sqlite3.connect(path)
            self._db.executescript("pragma journal_mode=off; pragma synchronous=off;" + _TABLES)
        finally:
            path.unlink()

    def close(self) -> None:
        """Give its room back."""
        self._db.close()

    def add(self, failures: Iterable[Failure]) -> None:
        """Count lines by record and kind."""
        buffer: dict[tuple[Kind, tuple[str, ...]], list[Any]] = {}
        for one in failures:
            known = buffer.get((one.kind, one.key))
            if known is None:
                buffer[one.kind, one.key] = [1, one.at, one.at, one.file, one.line]
                if len(buffer) >= BUFFER:
                    self._flush(buffer)
                continue
            known[0] += 1
            if one.at is not None:
                known[1] = one.at if known[1] is None else min(known[1], one.at)
                known[2] = one.at if known[2] is None else max(known[2], one.at)
        self._flush(buffer)

    def _flush(self, buffer: dict[tuple[Kind, tuple[str, ...]], list[Any]]) -> None:
        text = self._form.text
        named = [(kind, text(key), *rest) for (kind, key), rest in buffer.items() if key]
        others = [(kind, *rest[1:3], rest[0]) for (kind, key), rest in buffer.items() if not key]
        self._db.executemany(_UPSERT, named)
        self._db.executemany("insert into nameless values (?, ?, ?, ?)", others)
        self._db.commit()
        buffer.clear()

    def judge(
        self,
        database: Database,
        checker: Checker,
        workbook: Workbook | None,
        progress: Progress = silent,
    ) -> None:
        """Say of every record how it stands in the table now, and what an analysis found.

        Raises:
            SourceError: the database does not answer.
        """
        [total] = self._db.execute("select count(distinct key) from link").fetchone()
        done = 0
        with sm2.quiet():
            for texts in self._batches():
                keys = [tuple(json.loads(text)) for text in texts]
                possible = [key for key in keys if database.may_name(key)]
                rows: dict[tuple[Any, ...], Any] = {}
                if possible:
                    with reading(database.engine) as connection:
                        rows = database.fetch(connection, possible)
                for text, key in zip(texts, keys, strict=True):
                    cells = rows.get(key)
                    stored = key if cells is None else database.key_of(cells)
                    found = None if workbook is None else workbook.found_of(stored)
                    standing = _standing(checker, cells, found)
                    digest = key_digest(stored if found is None else found.key)
                    name = None if found is None else found.record_class.value
                    self._db.execute(
                        "update link set standing = ?, digest = ?, class = ? where key = ?",
                        (standing, digest, name, text),
                    )
                done += len(texts)
                progress(done, total)
        self._db.commit()

    def _batches(self) -> Iterator[list[str]]:
        last = ""
        while True:
            rows = self._db.execute(
                "select distinct key from link where key > ? order by key limit ?", (last, _BATCH)
            ).fetchall()
            if not rows:
                return
            yield [key for (key,) in rows]
            last = rows[-1][0]

    def counts(self, kind: Kind, *, complete: bool) -> FailureCounts:
        """How the records of one kind stand; ``complete``: all of the logs could be read."""
        lines, records, first, last = self._db.execute(
            "select coalesce(sum(lines), 0), count(*), min(first), max(last) from link"
            " where kind = ?",
            (kind,),
        ).fetchone()
        nameless, earliest, latest = self._db.execute(
            "select coalesce(sum(lines), 0), min(first), max(last) from nameless where kind = ?",
            (kind,),
        ).fetchone()
        by = dict(
            self._db.execute(
                "select standing, count(*) from link where kind = ? group by standing", (kind,)
            )
        )
        wrong, absent = by.get("wrong", 0), by.get("absent", 0)
        not_verifiable = by.get("not-verifiable", 0)
        settled: bool | None = False if wrong else None
        if complete and not (wrong or absent or not_verifiable or nameless):
            settled = True
        return FailureCounts(
            lines=lines + nameless,
            records=records,
            right=by.get("right", 0),
            wrong=wrong,
            absent=absent,
            not_verifiable=not_verifiable,
            nameless=nameless,
            first=min(filter(None, (first, earliest)), default=None),
            last=max(filter(None, (last, latest)), default=None),
            settled=settled,
        )

    def shown(self) -> tuple[LinkedRecord, ...]:
        """The first records that are not right: wrong ones before others, by number of lines."""
        rows = self._db.execute(
            "select kind, digest, standing, class, lines, first, last, file, line from link"
            " where standing <> 'right'"
            " order by standing <> 'wrong', lines desc, kind, key limit ?",
            (SHOWN,),
        )
        names = LinkedRecord.__struct_fields__
        return tuple(LinkedRecord(**dict(zip(names, row, strict=True))) for row in rows)


def gather(reader: LogReader, folder: Path, form: KeyForm) -> Links:
    """Read all logs. Raises :class:`SourceError`: one cannot be read."""
    links = Links(folder, form)
    try:
        links.add(reader.failures())
    except BaseException:
        links.close()
        raise
    return links


def interface_facts(
    reader: LogReader,
    links: Links,
    database: Database,
    checker: Checker,
    workbook: Path,
    missing: tuple[str, ...] = (),
    progress: Progress = silent,
) -> InterfaceFacts:
    """What goes to evidence: counts, and digests of keys; ``missing`` logs leave it open.

    Raises as :meth:`Links.judge`.
    """
    if workbook.exists():
        with closing(Workbook(workbook)) as analysed:
            links.judge(database, checker, analysed, progress)
    else:
        links.judge(database, checker, None, progress)
    complete = reader.lines > 0 and reader.unreadable == 0 and not missing
    return InterfaceFacts(
        files=reader.files,
        lines=reader.lines,
        unreadable=reader.unreadable,
        missing=missing[:SHOWN],
        patterns_sha256=reader.patterns.sha256,
        verification=links.counts("verification-failed", complete=complete),
        signing=links.counts("signing-failed", complete=complete),
        links=links.shown(),
    )


def _standing(checker: Checker, cells: Any, found: Diagnosis | None) -> str:
    """Another word of the business system stands against a record whatever its signature says."""
    if cells is None:
        return "absent"
    try:
        wrong = checker.check(checker.row(cells)).failed is not None
    except NotVerifiableError:
        return "not-verifiable"
    differs = found is not None and found.record_class is RecordClass.BASE_DIFFERS
    return "wrong" if wrong or differs else "right"
