"""Property: any one change of any file below a reports folder is found and its place is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from asn1crypto import pem
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.evidence import samples

from opsproof.errors import ExitCode
from opsproof.evidence.sums import files_below
from opsproof.evidence.verify import Verification, verify


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any") / "reports"
    for number in (1, 2):
        samples.sealed_run(folder, number)
    (folder / ".lock").unlink()
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o644)
    return folder


def names_place(result: Verification, name: str) -> bool:
    """A problem names the file, or (for a ledger line and its folder) the other half of the pair."""
    if name == "ledger.jsonl":
        return any(
            problem.where.startswith(("ledger.jsonl", "runs/")) for problem in result.problems
        )
    bundle = "/".join(name.split("/")[:2])
    return any(bundle in f"{problem.where} {problem.what}" for problem in result.problems)


CHANGES = st.sampled_from(["flip", "cut", "insert", "delete", "swap", "double"])


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(change=CHANGES, data=st.data())
def test_any_change_is_found(reports: Path, change: str, data: st.DataObject) -> None:
    names = files_below(reports)
    name = data.draw(st.sampled_from(names))
    path = reports / name
    before = path.read_bytes()
    place = data.draw(st.integers(0, max(0, len(before) - 1)))
    match change:
        case "flip":
            bit = data.draw(st.integers(0, 7))
            flipped = before[place] ^ (1 << bit) if before else 1
            after = before[:place] + bytes([flipped]) + before[place + 1 :]
        case "cut":
            after = before[:place]
        case "insert":
            byte = data.draw(st.binary(min_size=1, max_size=1))
            after = before[:place] + byte + before[place:]
        case "delete":
            after = before[:place] + before[place + 1 :]
        case "double":
            after = before + before
        case _:
            after = (reports / data.draw(st.sampled_from(names))).read_bytes()
    if after == before:
        return
    try:
        path.write_bytes(after)
        result = verify(reports)
        assert result.exit_code in (ExitCode.TAMPERED, ExitCode.INCOMPLETE), (name, change, place)
        assert names_place(result, name), (name, change, place, result.problems)
    finally:
        path.write_bytes(before)
    assert verify(reports).exit_code is ExitCode.OK


def test_a_serial_number_made_negative_is_found_too(reports: Path) -> None:
    """The certificate can still be read: RFC 5280 asks for that."""
    path = next(reports.glob("runs/*/signer.pem"))
    before = path.read_bytes()
    der = bytearray(x509.load_pem_x509_certificates(before)[0].public_bytes(Encoding.DER))
    # Certificate, TBSCertificate, version [0], then the serial number's tag, length and first byte.
    place = der.index(b"\xa0\x03\x02\x01\x02\x02") + 7
    der[place] |= 0x80
    try:
        path.write_bytes(pem.armor("CERTIFICATE", bytes(der)))
        assert verify(reports).exit_code is ExitCode.TAMPERED
    finally:
        path.write_bytes(before)
