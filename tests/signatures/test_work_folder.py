"""What lies in the work folder is not lost, and not taken for what was approved when it is another."""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.signatures import drills, tickets

from opsproof.errors import RefusedError, UsageError
from opsproof.evidence.files import locked
from opsproof.evidence.keys import Keys
from opsproof.signatures import simulate, ticket
from opsproof.signatures.correction import Approval, Correction, Settings
from opsproof.signatures.errors import PlanError
from opsproof.signatures.images import images_folder, write_image
from opsproof.signatures.plan import Plan
from opsproof.signatures.simulate import Drill


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    lab = drills.lab_of("ecdsa")
    return simulate.simulate(tmp_path, lab, records=6, seed=3, damaged_percent=90)


def correction_of(drill: Drill) -> Correction:
    folder = drill.folder
    return Correction(Settings(folder / "profile.yml", drill.url, folder, datetime.now(UTC)))


def approved(drill: Drill, plan: Plan, bureau: x509.Certificate) -> Plan:
    folder = drill.folder
    tickets.write(folder / "ticket.yml", drill.lab.approver, plan.sha256)
    approval = Approval(folder / "ticket.yml", folder / "approvers.pem", bureau)
    return correction_of(drill).approved(approval)[0]


def test_a_plan_that_becomes_another_while_it_is_read_is_named(drill: Drill) -> None:
    _, plan = drills.planned(drill)
    plan.path.write_bytes(plan.path.read_bytes().replace(b"drill-scores", b"other-scores"))
    with pytest.raises(PlanError) as caught:
        next(plan.entries())
    assert caught.value.what == "was changed while it was read"


def test_an_entry_is_read_only_once_all_of_the_plan_is_the_same(drill: Drill) -> None:
    """Nothing of another plan may be stored before it is known to be another."""
    _, plan = drills.planned(drill)
    approved_lines = plan.path.read_bytes()
    reading = plan.entries()
    first = next(reading)
    plan.path.write_bytes(approved_lines.replace(b"drill-scores", b"other-scores"))
    rest = list(reading)
    plan.path.write_bytes(approved_lines)
    assert [first, *rest] == list(plan.entries())
    assert len(rest) > 1


def test_what_is_kept_is_what_was_approved(
    drill: Drill, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plan = drills.planned(drill)
    approve = ticket.approve

    def and_then(*given: Any, **named: Any) -> Any:
        answer = approve(*given, **named)
        plan.path.write_bytes(plan.path.read_bytes().replace(b"drill-scores", b"other-scores"))
        return answer

    monkeypatch.setattr(ticket, "approve", and_then)
    with pytest.raises(PlanError) as caught:
        approved(drill, plan, keys.bureau)
    assert caught.value.what == "was changed while it was approved"
    assert not list((drill.folder / "approved").iterdir())


def test_of_a_copy_that_the_disk_does_not_take_nothing_is_left(
    drill: Drill, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan names records: nobody else may read even half of it."""
    _, plan = drills.planned(drill)
    modes = []

    def full(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        raise OSError(errno.ENOSPC, "No space left on device")

    before = os.umask(0)
    try:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                approved(drill, plan, keys.bureau)
    finally:
        os.umask(before)
    assert modes == [0o600]
    assert not list((drill.folder / "approved").iterdir())
    kept = approved(drill, plan, keys.bureau)
    assert kept.path == drill.folder / "approved" / f"{plan.sha256}.jsonl"
    assert list(kept.entries()) == list(plan.entries())


def test_a_bureau_without_an_rsa_key_is_named_before_anything_is_done(drill: Drill) -> None:
    _, plan = drills.planned(drill)
    bureau = x509.load_der_x509_certificate(drill.lab.approver.certificate.der)
    with pytest.raises(UsageError) as caught:
        approved(drill, plan, bureau)
    assert "no RSA key" in caught.value.what
    assert not (drill.folder / "approved").exists()


def test_no_before_image_takes_the_place_of_another(tmp_path: Path, keys: Keys) -> None:
    names = [write_image(tmp_path, "a" * 64, keys.bureau, []) for _ in range(3)]
    (images_folder(tmp_path, "a" * 64) / names[0]).unlink()
    assert write_image(tmp_path, "a" * 64, keys.bureau, []) not in names


def test_a_script_is_not_written_beside_somebody_who_works_in_the_folder(
    drill: Drill, keys: Keys
) -> None:
    """Both would give their before-images the same names."""
    _, plan = drills.planned(drill)
    script = drill.folder / "out.sql"
    with locked(drill.folder / "lock"), pytest.raises(RefusedError):
        correction_of(drill).write_script(plan, keys.bureau, script)
    assert not script.exists()
    assert not (drill.folder / "before").exists()
