"""Reading sealed evidence back as records. Reading checks form, not truth: that is ``verify``."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from opsproof.errors import IncompleteError
from opsproof.evidence.bundle import FINDINGS, INPUTS, OBSERVATIONS
from opsproof.evidence.canonical import decode_each
from opsproof.evidence.files import locked
from opsproof.evidence.ledger import EntryKind, Ledger
from opsproof.evidence.model import Artifact, Finding, Observation, Run, Subject
from opsproof.evidence.records import (
    RECORD_FILE,
    RUN_FILE,
    Correction,
    Prune,
    read_record,
    read_records,
)
from opsproof.evidence.seal import RECORDS, RUNS, adopt, lock


@dataclass(frozen=True)
class Bundle:
    """One sealed run. ``inputs`` maps paths below ``inputs/`` to their bytes."""

    run: Run
    observations: list[Observation]
    findings: list[Finding]
    inputs: dict[str, bytes]
    root: Path

    def artifact_path(self, artifact: Artifact) -> Path | None:
        """Where the artifact's stored bytes are; None when it is absent or was pruned."""
        path = self.root / artifact.stored_as if artifact.stored_as else None
        return path if path and path.is_file() else None


def load_bundle(path: Path) -> Bundle:
    """Read a bundle's records and inputs.

    Raises:
        IncompleteError: a file of the bundle is missing.
        CanonicalError: a record is not what it must be, with file and line.
    """
    for name in (RUN_FILE, OBSERVATIONS, FINDINGS):
        if not (path / name).is_file():
            raise IncompleteError("is missing", where=str(path / name))
    inputs = path / INPUTS
    files = (file for file in sorted(inputs.rglob("*")) if file.is_file())
    return Bundle(
        run=read_record(path / RUN_FILE, Run),
        observations=read_records(path / OBSERVATIONS, Observation),
        findings=_shared(path / FINDINGS),
        inputs={file.relative_to(inputs).as_posix(): file.read_bytes() for file in files},
        root=path,
    )


def _shared(path: Path) -> list[Finding]:
    """Findings with one object for every value that many of them have alike.

    Hundreds of settings on hundreds of hosts carry a few hundred conditions and a few hundred hosts.
    """
    by_control: dict[str, Finding] = {}
    by_host: dict[Subject, Finding] = {}
    found = []
    for finding in decode_each(path.read_bytes(), Finding, where=str(path)):
        first = by_control.setdefault(finding.control_sha256, finding)
        host = by_host.setdefault(finding.subject, finding)
        for one, names in ((first, _OF_CONTROL), (host, _OF_SUBJECT)):
            for name in names:
                if one is not finding and getattr(one, name) == getattr(finding, name):
                    msgspec.structs.force_setattr(finding, name, getattr(one, name))
        found.append(finding)
    return found


_OF_CONTROL = ("run", "control", "control_sha256", "expected", "demands", "clauses")
_OF_SUBJECT = ("subject", "evidence")


def sealed_runs(
    reports: Path, *, kind: str | None = None, inventory: str | None = None
) -> Iterator[Bundle]:
    """Sealed runs of the ledger, newest first, read when asked for; pruned ones are left out."""
    for entry in reversed(Ledger(reports).entries):
        path = reports / RUNS / entry.id
        if entry.kind is not EntryKind.RUN or not path.is_dir():
            continue
        run = read_record(path / RUN_FILE, Run)
        if kind in (None, run.kind) and inventory in (None, run.inventory):
            yield load_bundle(path)


def corrections(reports: Path) -> list[Correction]:
    """All corrections of the ledger, oldest first."""
    return [
        read_record(reports / RECORDS / entry.id / RECORD_FILE, Correction)
        for entry in Ledger(reports).entries
        if entry.kind is EntryKind.CORRECTION
    ]


def prunes(reports: Path) -> list[Prune]:
    """All prune records of the ledger, oldest first."""
    return [
        read_record(reports / RECORDS / entry.id / RECORD_FILE, Prune)
        for entry in Ledger(reports).entries
        if entry.kind is EntryKind.PRUNE
    ]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What earlier processes left behind: ids taken into the ledger, and interrupted folders."""

    adopted: tuple[str, ...]
    interrupted: tuple[str, ...]


def recover(reports: Path) -> Recovery:
    """Take sealed orphans into the ledger and name the partial folders of dead processes.

    A run calls this at its start and puts both lists into its own record. Partial folders stay
    as they are, for a person to look at.

    Raises:
        IncompleteError: the ledger's last line is torn.
    """
    with locked(lock(reports)):
        adopted = adopt(reports)
    found = sorted(
        path
        for family in (RUNS, RECORDS)
        for path in (reports / family).glob(".*.partial")
        if path.is_dir() and not _is_alive(path)
    )
    names = tuple(path.name.removeprefix(".").removesuffix(".partial") for path in found)
    return Recovery(adopted, names)


def _is_alive(partial: Path) -> bool:
    """Whether a living process holds the folder's lock."""
    descriptor = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
