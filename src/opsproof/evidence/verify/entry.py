"""Where checking begins: finds out what a path is and runs the checks that fit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from opsproof.errors import OpsproofError, UsageError
from opsproof.evidence import sums
from opsproof.evidence.files import locked
from opsproof.evidence.ledger import LEDGER, Head
from opsproof.evidence.records import RECORD_FILE, RUN_FILE, Prune, SealedRecord, read_sealed_record
from opsproof.evidence.seal import RECORDS, RUNS, lock, sealed_folders
from opsproof.evidence.verify.chain import check_folders, check_lines
from opsproof.evidence.verify.folder import Folder, check_files, check_signature
from opsproof.evidence.verify.result import Verification
from opsproof.evidence.verify.run import Bureau, check_run


@dataclass(frozen=True)
class Trust:
    """What the checker brings along: CA certificates, a printed head, the bureau's key."""

    ca: list[x509.Certificate] | None = None
    head: Head | None = None
    bureau: Bureau | None = None


def verify(path: Path, trust: Trust | None = None) -> Verification:
    """Check a sealed folder, or a reports folder with its ledger. Changes nothing.

    Raises:
        UsageError: there is no evidence at the path, or a head was given for a single bundle.
    """
    trust = trust or Trust()
    result = Verification(str(path))
    if (path / LEDGER).exists() or (path / RUNS).is_dir() or (path / RECORDS).is_dir():
        with _quiet(path):
            _verify_reports(path, trust, result)
    elif any((path / name).exists() for name in (sums.SHA256SUMS, RUN_FILE, RECORD_FILE)):
        if trust.head:
            raise UsageError("a head belongs to a ledger, not to one bundle", where=str(path))
        _verify_single(path, trust, result)
    else:
        raise UsageError(
            "holds no evidence", where=str(path), remedy="give a bundle or a reports folder"
        )
    result.problems.sort()
    result.skip("that facts were true when they were collected: no seal can show that")
    return result


def _verify_reports(reports: Path, trust: Trust, result: Verification) -> None:
    if not (reports / LEDGER).exists() and sealed_folders(reports):
        result.incomplete(LEDGER, "is missing")
    chain = check_lines(reports, trust.head, result)
    records = check_folders(reports, chain, result)
    removed: dict[str, dict[str, str]] = {}
    for record in records.values():
        if isinstance(record, Prune):
            files = {file.path: file.sha256 for file in record.removed}
            removed.setdefault(record.run, {}).update(files)
    for name, folder in sealed_folders(reports).items():
        label = f"{folder.parent.name}/{name}"
        _verify_folder(
            Folder(folder, label, removed.get(name, {})), records.get(name), trust, result
        )


def _verify_single(path: Path, trust: Trust, result: Verification) -> None:
    record: SealedRecord | None = None
    with suppress(OpsproofError, OSError):  # the checks of the folder name what is wrong with it
        _, record = read_sealed_record(path)
    _verify_folder(Folder(path, "", {}), record, trust, result)
    if record and record.id != path.resolve().name:
        result.note(f"the folder is named {path.resolve().name}, the evidence {record.id}")
    result.skip("its place among other evidence: check the reports folder with its ledger")


def _verify_folder(
    folder: Folder, record: SealedRecord | None, trust: Trust, result: Verification
) -> None:
    whole = check_files(folder, result)
    check_signature(folder, record, trust.ca, result)
    if (folder.path / RUN_FILE).is_file() and whole:
        check_run(folder, trust.bureau, result)
    elif (folder.path / RUN_FILE).is_file():
        result.skip(
            f"the records of {folder.label or folder.path.name}: its files are not as sealed"
        )


@contextmanager
def _quiet(reports: Path) -> Iterator[None]:
    """Keep sealers away meanwhile, where the folder is one that can be written at all."""
    file = lock(reports)
    if file.exists() and os.access(file, os.W_OK):
        with locked(file):
            yield
    else:
        yield
