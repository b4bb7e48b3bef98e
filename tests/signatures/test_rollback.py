"""The way back: to the byte, with the bureau's key, and never called done where it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.signatures import drills
from tests.signatures.applying import (
    applied,
    contents,
    digest_of,
    drill_key,
    make,
)

from opsproof.evidence.cms import DecryptionError
from opsproof.evidence.keys import Keys
from opsproof.signatures.apply import unpacked_key
from opsproof.signatures.database import Database
from opsproof.signatures.model import key_digest
from opsproof.signatures.rollback import Rollback


def test_rollback_restores_every_byte(
    url: str, tmp_path: Path, keys: Keys, keys_folder: Path
) -> None:
    drill = make(tmp_path, url)
    before = contents(drill)
    job, plan = drills.planned(drill)
    result = applied(job, plan, keys, tmp_path / "work")
    database = Database(job.url, job.profile)
    back = Rollback(
        plan, job.profile, database, tmp_path / "work", keys.bureau, drill_key(keys_folder)
    )
    undone = back.roll_back()
    assert undone.written == result.written > 0
    assert contents(drill) == before
    again = back.roll_back()
    database.close()
    assert (again.written, again.already) == (0, result.written)


def test_rollback_needs_the_bureaus_key(tmp_path: Path, keys: Keys) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    job, plan = drills.planned(drill)
    applied(job, plan, keys, tmp_path / "work")
    database = Database(job.url, job.profile)
    other = rsa.generate_private_key(65537, 2048)
    back = Rollback(plan, job.profile, database, tmp_path / "work", keys.bureau, other)
    with pytest.raises(DecryptionError):
        back.roll_back()
    database.close()


def test_a_way_back_that_is_not_here_is_not_called_done(
    tmp_path: Path, keys: Keys, keys_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values that another folder or an older plan wrote have their before-images there."""
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    job, plan = drills.planned(drill)
    written = applied(job, plan, keys, tmp_path / "work").written
    after = contents(drill)
    database = Database(job.url, job.profile)
    monkeypatch.setattr("opsproof.signatures.apply.SHOWN", 2)
    back = Rollback(
        plan, job.profile, database, tmp_path / "elsewhere", keys.bureau, drill_key(keys_folder)
    ).roll_back()
    database.close()
    assert (back.written, back.left_alone) == (0, written)
    names = [key_digest(unpacked_key(entry)) for entry in plan.writes()]
    assert back.left == names[:2]
    [line] = (tmp_path / "elsewhere/rollback.jsonl").read_text().splitlines()
    assert json.loads(line)["left"] == names
    assert back.before_sha256 == back.after_sha256 == digest_of(drill, plan)
    assert not back.done
    assert contents(drill) == after


def test_before_images_show_nothing(tmp_path: Path, keys: Keys) -> None:
    drill = make(tmp_path, f"sqlite:///{tmp_path / 'records.db'}")
    before = contents(drill)
    job, plan = drills.planned(drill)
    applied(job, plan, keys, tmp_path / "work")
    images = b"".join(path.read_bytes() for path in (tmp_path / "work/before").rglob("*.p7m"))
    stored = [row[7] for row in before.values() if isinstance(row[7], str) and len(row[7]) > 20]
    assert stored
    assert all(value[:20].encode() not in images for value in stored)
