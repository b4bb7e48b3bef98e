"""The short way accepts nothing that the strict check refuses, and everything ordinary."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.signatures import drills

from opsproof.signatures import simulate
from opsproof.signatures.database import Database
from opsproof.signatures.model import RecordClass


@pytest.mark.parametrize("family", ["rsa", "ecdsa", "sm2"])
def test_it_agrees_with_the_strict_check(family: str, tmp_path: Path) -> None:
    drill = simulate.simulate(
        tmp_path, drills.lab_of(family), records=80, seed=21, damaged_percent=60
    )
    checker = drills.job_of(drill).checker()
    quick = checker.quick()
    assert quick is not None
    database = Database(drill.url, drill.profile)
    right = 0
    for batch in database.stream():
        for cells, good in zip(batch, quick.right(batch), strict=True):
            strict = checker.check(checker.row(cells))
            assert good == (strict.failed is None), cells[0]
            right += good
    database.close()
    assert right >= sum(one.record_class is RecordClass.VALID for one in drill.truth) > 0


def test_other_profiles_take_the_long_way(tmp_path: Path) -> None:
    drill = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=2, seed=1, form="cms-detached", damaged_percent=0
    )
    assert drills.job_of(drill).checker().quick() is None
