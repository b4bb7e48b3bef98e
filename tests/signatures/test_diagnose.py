"""Every record is in exactly one class, and it is the right one."""

from __future__ import annotations

import base64
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from tests.signatures import drills
from tests.signatures.conftest import NOW, pki

from opsproof.signatures import lab, simulate
from opsproof.signatures.algorithms import Algorithm
from opsproof.signatures.book import CertificateBook
from opsproof.signatures.check import Checker
from opsproof.signatures.diagnose import Diagnoser
from opsproof.signatures.model import RecordClass


@pytest.mark.parametrize(("family", "form", "encoding", "flavour", "reference"), drills.SHAPES)
def test_classes_are_those_that_are_true(
    family: str, form: str, encoding: str, flavour: str, reference: str, tmp_path: Path
) -> None:
    drill = simulate.simulate(
        tmp_path,
        drills.lab_of(family),
        records=40 if family == "sm2" else 60,  # a verification of SM2 takes a millisecond
        seed=7,
        form=form,
        encoding=encoding,
        flavour=flavour,
        reference=reference,
        damaged_percent=80,
    )
    job, analysis = drills.analysed(drill)
    found = drills.found_by_key(job)
    wrong = [
        (one.key, one.record_class.value, one.fault, found.get(one.key))
        for one in drill.truth
        if (found[one.key].record_class if one.key in found else RecordClass.VALID)
        is not one.record_class
    ]
    assert wrong == []
    assert sum(analysis.classes.values()) == analysis.records == len(drill.truth)
    assert analysis.classes == Counter(one.record_class for one in drill.truth) | {
        RecordClass.VALID: sum(one.record_class is RecordClass.VALID for one in drill.truth)
    }


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("reference", ["02", "FF"])
def test_a_signer_that_was_renewed_with_its_key_signed_with_the_certificate_of_then(
    reference: str, newest_first: bool, tmp_path: Path
) -> None:
    day, key, ca = timedelta(days=1), lab.new_key("ecdsa"), pki("ecdsa").ca
    signers = [
        lab.issue(
            "signer",
            key,
            ca,
            serial=serial,
            not_before=NOW + begin * day,
            not_after=NOW + end * day,
        )
        for serial, begin, end in ((2, -90, -20), (3, -30, 90))
    ]
    if newest_first:
        signers.reverse()
    drill = simulate.simulate(tmp_path, drills.lab_of("ecdsa"), records=1, seed=1)
    checker = Checker(drill.profile, CertificateBook(signers, [ca.certificate]), NOW)
    values = {"id": 1, "score": 96, "held_on": "2026-06-09", "signed_at": NOW}
    cells = [values.get(name, "x") for name in drill.profile.columns]
    message = checker.message(checker.row(cells).values)
    assert message is not None
    stored = base64.b64encode(key.sign(Algorithm.ECDSA_SHA256, message)).decode()
    cells[drill.profile.columns.index("sign_value")] = stored
    cells[drill.profile.columns.index("cert_serial")] = reference
    found = Diagnoser(checker, base_delivered=False).diagnose(checker.row(cells), None)
    assert found.record_class is RecordClass.WRONG_REFERENCE
    assert found.repair is not None
    assert (found.repair.signature, found.repair.reference) == (stored, "03")
