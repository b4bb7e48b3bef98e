"""Every record is in exactly one class, and it is the right one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.signatures import drills

from opsproof.signatures import simulate
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
