"""What an analysis keeps on disk so that memory stays bounded: base data and what was found.

One SQLite file in the work folder (mode 0600: it holds personal data); it can be thrown away. While an
analysis is made, it has another name and a write-ahead log beside it, so that workers read while one
process writes; what is under its own name is whole and is only read.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opsproof.errors import UsageError
from opsproof.evidence.files import locked
from opsproof.signatures.basedata import BadRow, Delivered
from opsproof.signatures.keyform import KeyForm
from opsproof.signatures.model import BaseRecord, Diagnosis, RecordClass, key_text

_TABLES = """
create table base(key text primary key, place text not null, record blob);
create table found(
  seq integer primary key, key text not null unique, class text not null, body blob not null);
create table bad(seq integer primary key, place text not null, what text not null);
"""
_BESIDE = ("-wal", "-shm", "-journal")
"""Endings of the names of SQLite's own files."""


class Workbook:
    """The file. Records are pickled: only this process and its children ever read it."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        """Open the file; ``fresh`` makes it anew.

        Raises:
            UsageError: there is none, it is not one, or others could have written it: what is in it is
                believed, and unpickled.
        """
        self.path = path
        if fresh:
            _remove(path)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        elif not path.is_file():
            raise UsageError("nothing was analysed here", where=str(path))
        else:
            _only_ours(path)
        self._db = sqlite3.connect(path)
        try:
            if fresh:
                self._db.executescript(f"pragma journal_mode=wal; {_TABLES}")
            self._db.execute("pragma synchronous=normal")
            self._db.execute("select 1 from base, found, bad limit 0")
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise UsageError(
                "is not what an analysis leaves", where=str(path), remedy="analyse again"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @classmethod
    @contextmanager
    def replacing(cls, path: Path) -> Iterator[Path]:
        """Where to make a new workbook; at the end of the block it takes the place of the old one.

        After an error or a kill the old one is still there.

        Raises:
            RefusedError: another process is making one.
        """
        partial = path.with_name(f".{path.name}.partial")
        with locked(path.with_name(f".{path.name}.lock"), wait=False):
            try:
                yield partial
                _settle(partial)
                # A log that a killed process left beside the old file must not be taken for the new one's.
                _remove(path, _BESIDE)
                partial.replace(path)
            finally:
                _remove(partial)

    def add_base(self, rows: Iterable[Delivered | BadRow], form: KeyForm) -> None:
        """Take delivered rows in. A key that comes twice is bad and stands for no record."""
        with self._db:
            for row in rows:
                if isinstance(row, BadRow):
                    self._bad(row.where, row.what)
                    continue
                blob, key = pickle.dumps(row.record), form.text(row.key)
                fresh = self._db.execute(
                    "insert or ignore into base(key, place, record) values (?, ?, ?)",
                    (key, row.where, blob),
                ).rowcount
                if not fresh:
                    (first,) = self._db.execute(
                        "select place from base where key = ?", (key,)
                    ).fetchone()
                    self._bad(row.where, f"has the key of {first}: neither is taken")
                    self._db.execute("update base set record = null where key = ?", (key,))

    def base(self, texts: Sequence[str]) -> dict[str, BaseRecord]:
        """The delivered records of these keys as :meth:`KeyForm.text` writes them, by them."""
        found: dict[str, BaseRecord] = {}
        for begin in range(0, len(texts), 500):
            part = texts[begin : begin + 500]
            marks = ",".join("?" * len(part))
            rows = self._db.execute(
                f"select key, record from base where record is not null and key in ({marks})",  # noqa: S608 - marks are question marks
                part,
            )
            for key, blob in rows:
                found[key] = pickle.loads(blob)  # noqa: S301 - our own file, mode 0600
        return found

    def base_count(self) -> int:
        """Rows delivered and taken."""
        return self._count("select count(*) from base where record is not null")

    def bad_count(self) -> int:
        """Rows delivered and not taken."""
        return self._count("select count(*) from bad")

    def bad_rows(self) -> Iterator[BadRow]:
        """Rows that were not taken, in the order in which they came; there may be any number."""
        rows = self._db.execute("select place, what from bad order by seq")
        return (BadRow(place, what) for place, what in rows)

    def add_found(self, diagnoses: Iterable[Diagnosis]) -> None:
        """Keep what was diagnosed, in order; an earlier word on the same key is replaced in place."""
        with self._db:
            for one in diagnoses:
                self._db.execute(
                    "insert into found(key, class, body) values (?, ?, ?) on conflict(key)"
                    " do update set class = excluded.class, body = excluded.body",
                    (key_text(one.key), one.record_class.value, pickle.dumps(one)),
                )

    def classes(self) -> dict[RecordClass, int]:
        """How many records were found in each class."""
        rows = self._db.execute("select class, count(*) from found group by class")
        return {RecordClass(name): count for name, count in rows}

    def found(self) -> Iterator[Diagnosis]:
        """Everything kept, in order."""
        last = 0
        while True:
            rows = self._db.execute(
                "select seq, body from found where seq > ? order by seq limit 1000", (last,)
            ).fetchall()
            if not rows:
                return
            for seq, body in rows:
                last = seq
                yield pickle.loads(body)  # noqa: S301 - our own file, mode 0600

    def found_of(self, key: tuple[Any, ...]) -> Diagnosis | None:
        """What was found about one record; None when it is valid."""
        row = self._db.execute("select body from found where key = ?", (key_text(key),)).fetchone()
        return None if row is None else pickle.loads(row[0])  # noqa: S301 - our own file, mode 0600

    def _bad(self, place: str, what: str) -> None:
        self._db.execute("insert into bad(place, what) values (?, ?)", (place, what))

    def _count(self, statement: str) -> int:
        (number,) = self._db.execute(statement).fetchone()
        return int(number)


def _settle(path: Path) -> None:
    """Bring everything from the write-ahead log into the file, and the file onto the disk."""
    db = sqlite3.connect(path)
    try:
        db.execute("pragma journal_mode=delete")
    finally:
        db.close()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _only_ours(path: Path) -> None:
    status = path.stat()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UsageError(
            "others than you may have written it",
            where=str(path),
            remedy="remove it and analyse again as the user who applies",
        )


def _remove(path: Path, endings: Iterable[str] = ("", *_BESIDE)) -> None:
    for ending in endings:
        path.with_name(path.name + ending).unlink(missing_ok=True)
