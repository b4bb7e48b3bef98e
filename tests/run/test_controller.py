from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from opsproof.evidence.keys import create_demo_keys
from opsproof.run.checks import Check, Health
from opsproof.run.controller import check_controller

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / ".keys"
    create_demo_keys(folder, now=NOW)
    return folder


def checks(tmp_path: Path, keys: Path, now: datetime = NOW) -> dict[str, Check]:
    found = check_controller(tmp_path, tmp_path / "reports" / "new", keys, os.environ, now)
    return {check.name: check for check in found}


def test_this_machine_is_ready_but_for_the_demonstration_keys(tmp_path: Path, keys: Path) -> None:
    found = checks(tmp_path, keys)
    trouble = {name: check for name, check in found.items() if check.health is not Health.OK}
    assert list(trouble) == ["keys"]
    assert trouble["keys"].detail == "demonstration keys prove nothing"
    assert not (tmp_path / "reports").exists()


def test_a_collection_of_another_version_is_a_failure(tmp_path: Path, keys: Path) -> None:
    (tmp_path / "requirements.yml").write_text(
        "collections:\n- {name: ansible.windows, version: 0.0.1}\n- {name: a.b, version: 1.0.0}\n"
    )
    found = checks(tmp_path, keys)
    assert found["collection ansible.windows"].health is Health.FAILED
    assert found["collection ansible.windows"].detail.endswith(", pinned is 0.0.1")
    assert found["collection a.b"].detail == "not installed, pinned is 1.0.0"


@pytest.mark.parametrize(
    ("free_mb", "health"),
    [(199, Health.FAILED), (200, Health.WARNING), (2047, Health.WARNING), (2048, Health.OK)],
)
def test_room_for_reports(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, health: Health
) -> None:
    usage = type("Usage", (), {"free": free_mb * 2**20})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert checks(tmp_path, keys)["disk"].health is health


def test_missing_keys_and_certificates_at_their_end(tmp_path: Path, keys: Path) -> None:
    assert checks(tmp_path, tmp_path / "none")["keys"].health is Health.FAILED
    soon = checks(tmp_path, keys, NOW + timedelta(days=3640))
    assert soon["signer certificate"].health is Health.WARNING
    over = checks(tmp_path, keys, NOW + timedelta(days=3660))
    assert over["signer certificate"].health is Health.FAILED


def test_a_key_that_others_can_read_is_a_failure(tmp_path: Path) -> None:
    folder = tmp_path / ".keys"
    create_demo_keys(folder, now=NOW)
    (folder / "signer.key").chmod(0o644)
    assert checks(tmp_path, folder)["key file"].detail == "signer.key has mode 0644"
