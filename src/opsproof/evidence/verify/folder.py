"""Checks of one sealed folder, whatever it is about: its files, both hash lists, the signature."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from opsproof.errors import OpsproofError, TamperedError
from opsproof.evidence import cms, sums
from opsproof.evidence.canonical import CanonicalError
from opsproof.evidence.chain import check_chain
from opsproof.evidence.ids import moment, timestamp
from opsproof.evidence.keys import load_certificates
from opsproof.evidence.records import SealedRecord
from opsproof.evidence.seal import SIGNER
from opsproof.evidence.verify.result import Verification

_CLOCKS_AGREE = timedelta(minutes=10)
ALWAYS = ("README.md", "README.zh.md", SIGNER, sums.SM3SUMS)


@dataclass(frozen=True)
class Folder:
    """A sealed folder under check. ``label`` is how problems name it; ``pruned`` maps the paths
    that a prune record lets be missing to their hashes.
    """

    path: Path
    label: str
    pruned: Mapping[str, str]

    def place(self, name: str) -> str:
        """How a problem names a file of this folder."""
        return f"{self.label}/{name}" if self.label else name


def check_files(folder: Folder, result: Verification) -> bool:
    """Check both lists against the files; true when every listed file is as it was sealed."""
    listing = _read_list(folder, "sha256", sums.SHA256SUMS, result)
    if listing is None:
        return False
    before = len(result.problems)
    for name in (*ALWAYS, *sums.files_below(folder.path)):
        if name not in listing and name not in (sums.SHA256SUMS, sums.SIGNATURE):
            if (folder.path / name).exists() or (folder.path / name).is_symlink():
                result.tampered(folder.place(name), "was added after sealing")
            else:
                result.incomplete(folder.place(name), f"is not in {sums.SHA256SUMS}")
    found: dict[str, str] = {}
    for name, wanted in listing.items():
        if (pair := _hash(folder, name, wanted, result)) is not None:
            found[name] = pair
    if (sm3 := _read_list(folder, "sm3", sums.SM3SUMS, result)) is not None:
        _compare_sm3(folder, sm3, listing, found, result)
    return len(result.problems) == before


def check_signature(
    folder: Folder,
    record: SealedRecord | None,
    trusted: list[x509.Certificate] | None,
    result: Verification,
) -> None:
    """Check the signature over the list, and whose it is when a CA was given."""
    paths = {name: folder.path / name for name in (sums.SHA256SUMS, sums.SIGNATURE, SIGNER)}
    missing = [name for name, path in paths.items() if not path.is_file()]
    for name in missing:
        result.incomplete(folder.place(name), "is missing")
    if missing:
        return
    try:
        chain = load_certificates(paths[SIGNER])
    except OpsproofError as error:
        result.tampered(folder.place(SIGNER), error.what)
        return
    try:
        data, signature = paths[sums.SHA256SUMS].read_bytes(), paths[sums.SIGNATURE].read_bytes()
        signed_at = cms.verify(data, signature, chain).signed_at
        result.done["signature"] += 1
    except TamperedError as error:
        result.tampered(folder.place(sums.SIGNATURE), error.what)
        return
    _compare_clocks(folder, record, signed_at, result)
    _check_identity(folder, chain, record, trusted, result)


def _compare_clocks(
    folder: Folder, record: SealedRecord | None, signed_at: datetime | None, result: Verification
) -> None:
    """Note when the record and the signature do not agree about the time of sealing."""
    sealed_at = _sealed_at(record)
    if record is None or signed_at is None:
        return
    if sealed_at is None:
        result.tampered(
            folder.place(record.file_name), f"{record.sealed_at!r} is not a time of sealing"
        )
        return
    if abs(sealed_at - signed_at) > _CLOCKS_AGREE:
        result.note(
            f"{folder.label or record.id} says it was sealed at {record.sealed_at}, "
            f"its signature at {timestamp(signed_at)}"
        )


def _sealed_at(record: SealedRecord | None) -> datetime | None:
    """When the record says it was sealed; None for a record that does not say or is damaged."""
    with suppress(CanonicalError):
        return moment(record.sealed_at) if record and record.sealed_at else None
    return None


def _check_identity(
    folder: Folder,
    chain: list[x509.Certificate],
    record: SealedRecord | None,
    trusted: list[x509.Certificate] | None,
    result: Verification,
) -> None:
    at = _sealed_at(record) or datetime.now(UTC)
    try:
        check_chain(chain, chain[1:] or chain if trusted is None else trusted, at)
    except TamperedError as error:
        result.tampered(folder.place(SIGNER), error.what)
        return
    name = chain[0].subject.rfc4514_string()
    print_ = chain[0].fingerprint(hashes.SHA256()).hex()
    result.note(f"signed by {name}, certificate SHA-256 {print_}")
    if "demo" in name:
        result.note("demo certificates: they show how it works and prove nothing")
    if trusted is None:
        result.skip(
            "who signed: the CA certificate came with the evidence itself; "
            "give --ca with one that you got another way"
        )
    else:
        result.done["signer leads to the given CA"] += 1


def _read_list(
    folder: Folder, algorithm: sums.Algorithm, name: str, result: Verification
) -> dict[str, str] | None:
    path = folder.path / name
    if not path.is_file():
        result.incomplete(folder.place(name), "is missing")
        return None
    try:
        return sums.parse(algorithm, path.read_bytes(), where=folder.place(name))
    except TamperedError as error:
        result.tampered(error.where, error.what)
        return None


def _hash(folder: Folder, name: str, wanted: str, result: Verification) -> str | None:
    """The SM3 of a file whose SHA-256 is as listed; None (and a problem) otherwise."""
    path = folder.path / name
    if path.is_symlink():
        result.tampered(folder.place(name), "was replaced by a symbolic link")
    elif not path.is_file():
        if folder.pruned.get(name) == wanted:
            result.done["removed by retention, as recorded"] += 1
        else:
            result.incomplete(folder.place(name), "is missing")
    else:
        sha256, sm3 = sums.both_hashes(path)
        result.done["file SHA-256"] += 1
        if sha256 == wanted:
            return sm3
        result.tampered(folder.place(name), "was changed after sealing (SHA-256 differs)")
    return None


def _compare_sm3(
    folder: Folder,
    sm3: Mapping[str, str],
    listing: Mapping[str, str],
    found: Mapping[str, str],
    result: Verification,
) -> None:
    place = folder.place(sums.SM3SUMS)
    listed = set(listing) - {sums.SM3SUMS}
    for name in sorted(listed ^ set(sm3)):
        result.tampered(place, f"differs from {sums.SHA256SUMS} about {name}")
    for name in sorted(set(found) & set(sm3)):
        result.done["file SM3"] += 1
        if sm3[name] != found[name]:
            result.tampered(place, f"the SM3 of {name} is another")
