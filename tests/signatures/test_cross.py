"""Whose signature it is: searched among all records, with and without what SM3 needs."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tests.signatures import drills
from tests.signatures.conftest import NOW

from opsproof.signatures import cms, simulate, sm2
from opsproof.signatures.database import Database, make_engine
from opsproof.signatures.model import RecordClass
from opsproof.signatures.simulate import Drill


def with_foreign_messages(folder: Path) -> tuple[Drill, list[int]]:
    """Right records whose place another system's messages took: over SM3, each over the next record.

    They name a certificate that is not at hand and carry none, so only the digest says whose they are.
    """
    drill = simulate.simulate(
        folder, drills.lab_of("ecdsa"), records=30, seed=4, form="cms-detached", damaged_percent=40
    )
    signer = drills.lab_of("sm2").good[0]
    checker = drills.job_of(drill).checker()
    database = Database(drill.url, drill.profile)
    rows = {row[0]: row for batch in database.stream() for row in batch}
    database.close()
    keys = [one.key for one in drill.truth if one.record_class is RecordClass.VALID][:4]
    engine = make_engine(drill.url)
    with engine.connect() as connection:
        for key, other in zip(keys, [*keys[1:], keys[0]], strict=True):
            message = checker.message(checker.row(rows[other]).values)
            assert message is not None
            attributes = cms.signed_attributes(message, "sm3", "chinese", NOW)
            data = cms.write(
                signer.key.sign(signer.algorithm, attributes),
                signer.algorithm,
                signer.certificate,
                flavour="chinese",
                attributes=attributes,
                embed=False,
            )
            connection.exec_driver_sql(
                'update "exam score" set sign_value = ? where id = ?',
                (base64.b64encode(data).decode(), key),
            )
    engine.dispose()
    return drill, keys


def test_digests_by_sm3_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be looked for is said; all others are found as ever."""
    drill, keys = with_foreign_messages(tmp_path)
    _, whole = drills.analysed(drill)
    with_it = drills.found_by_key(drills.job_of(drill))
    assert {with_it[key].record_class for key in keys} == {RecordClass.NOT_RECOVERABLE}
    assert {with_it[key].evidence["records_tried"] for key in keys} == {"1"}
    swapped = {one.key for one in drill.truth if one.record_class is RecordClass.SWAPPED}
    assert swapped
    assert all(with_it[key].record_class is RecordClass.SWAPPED for key in swapped)

    monkeypatch.setattr(sm2, "library", None)
    _, analysis = drills.analysed(drill)
    without = drills.found_by_key(drills.job_of(drill))
    for key in keys:
        assert without[key].record_class is RecordClass.NOT_VERIFIABLE
        assert without[key].detail == f"it is over an SM3 digest: {sm2.NEEDED}"
    assert {key: one for key, one in without.items() if key not in keys} == {
        key: one for key, one in with_it.items() if key not in keys
    }
    assert analysis.classes[RecordClass.VALID] == whole.classes[RecordClass.VALID]
