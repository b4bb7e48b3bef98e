"""What the strict check must not take, however well it is signed; the quick way takes no more."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.signatures.conftest import NOW, pki

from opsproof.signatures import cms, lab
from opsproof.signatures.book import CertificateBook, Standing
from opsproof.signatures.certificates import Certificate
from opsproof.signatures.check import AHEAD, Checker, Verdict
from opsproof.signatures.cms import tlv
from opsproof.signatures.diagnose import Diagnoser
from opsproof.signatures.model import RecordClass
from opsproof.signatures.profile import Profile
from opsproof.signatures.revocation import Revocations

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def profile(**changes: Any) -> Profile:
    """A table of a name and its signature; ``changes`` replace whole parts."""
    plain: dict[str, Any] = {
        "id": "p",
        "title": {"en": "p"},
        "database": "d",
        "table": {"name": "t"},
        "key": ["id"],
        "fields": [{"name": "name", "column": "name"}],
        "serialisation": {},
        "signature": {"column": "sig", "algorithms": ["ecdsa-sha256"]},
        "certificate": {"by": "serial-decimal", "column": "ref"},
        "signed_at": {"column": "at", "zone": "Asia/Shanghai"},
    }
    return msgspec.convert(plain | changes, Profile)


EMBEDDED = profile(
    signature={"column": "sig", "form": "cms-detached", "algorithms": ["ecdsa-sha256"]},
    certificate={"by": "embedded"},
)


def checker(
    one: Profile, known: Sequence[Certificate], crl: bytes | None = None, folder: Path | None = None
) -> Checker:
    revocations = Revocations()
    if crl is not None and folder is not None:
        (folder / "crl").write_bytes(crl)
        revocations.add(folder / "crl")
    return Checker(
        one, CertificateBook(list(known), [pki("ecdsa").ca.certificate], revocations), NOW
    )


def message(signer: lab.Signer, content: bytes, at: datetime) -> bytes:
    """A detached message with the time of signing among its signed attributes."""
    attributes = cms.signed_attributes(content, "sha256", "international", at)
    return cms.write(
        signer.key.sign(signer.algorithm, attributes),
        signer.algorithm,
        signer.certificate,
        flavour="international",
        attributes=attributes,
    )


def cells(one: Checker, data: bytes, at: Any, reference: Any = None, name: str = "Li") -> list[Any]:
    given = {
        "id": 1,
        "name": name,
        "sig": base64.b64encode(data).decode(),
        "ref": reference,
        "at": at,
    }
    return [given[column] for column in one.profile.columns]


def checked(one: Checker, row: list[Any]) -> Verdict:
    """The strict word; the quick way, where there is one, must say the same."""
    verdict = one.check(one.row(row))
    quick = one.quick()
    if quick is not None:
        assert quick.right([row]) == [verdict.failed is None]
        assert quick.right([row, row])[1] is (verdict.failed is None)
    return verdict


@pytest.mark.parametrize(("in_column", "in_message"), [(-9, 0), (0, -9), (-9, -9), (0, 0)])
def test_a_column_does_not_outweigh_the_time_that_is_signed(
    in_column: int, in_message: int, tmp_path: Path
) -> None:
    one = pki("ecdsa")
    signer = one.signer
    revoked = lab.issue_crl(one.ca, [(signer.certificate.serial, NOW - 5 * DAY)], this_update=NOW)
    found = checker(EMBEDDED, [signer.certificate], revoked, tmp_path)
    data = message(signer, b"Li", NOW + in_message * DAY)
    row = cells(found, data, (NOW + in_column * DAY).isoformat())
    verdict = checked(found, row)
    if in_column == in_message == -9:
        assert verdict.failed is None
    else:
        assert verdict.judgement is not None
        assert verdict.judgement.standing is Standing.REVOKED
    diagnosis = Diagnoser(found, base_delivered=False).diagnose(found.row(row), None)
    wanted = RecordClass.VALID if verdict.failed is None else RecordClass.REVOKED
    assert diagnosis.record_class is wanted


@pytest.mark.parametrize(
    ("after", "right"),
    [(-2 * DAY, True), (AHEAD, True), (AHEAD + SECOND, False), (300 * DAY, False)],
)
def test_nothing_is_signed_later_than_now(after: timedelta, right: bool) -> None:
    signer = pki("ecdsa").signer
    raw = signer.key.sign(signer.algorithm, b"Li")
    bare, wrapped = (checker(one, [signer.certificate]) for one in (profile(), EMBEDDED))
    serial = str(signer.certificate.serial)
    local = (NOW + after + 8 * timedelta(hours=1)).replace(tzinfo=None).isoformat()
    verdicts = [
        checked(bare, cells(bare, raw, local, serial)),
        checked(wrapped, cells(wrapped, message(signer, b"Li", NOW - DAY), local)),
        checked(wrapped, cells(wrapped, message(signer, b"Li", NOW + after), None)),
    ]
    assert [one.failed is None for one in verdicts] == [right] * 3
    if not right:
        assert all("which is not yet" in one.detail for one in verdicts)


@pytest.mark.parametrize(
    "time", [tlv(0x18, b"20261101000000"), tlv(0x18, b"00001101000000Z"), tlv(0x04, b"x")]
)
def test_a_signed_time_that_is_none_is_a_message_that_is_none(time: bytes) -> None:
    signer = pki("ecdsa").signer
    right = cms.signed_attributes(b"Li", "sha256", "international", NOW)
    attributes = right.replace(tlv(0x17, b"261101080000Z"), time)
    assert attributes != right
    attributes = tlv(0x31, attributes[2:])
    data = cms.write(
        signer.key.sign(signer.algorithm, attributes),
        signer.algorithm,
        signer.certificate,
        flavour="international",
        attributes=attributes,
    )
    found = checker(EMBEDDED, [signer.certificate])
    assert checked(found, cells(found, data, None)).failed == "container"
