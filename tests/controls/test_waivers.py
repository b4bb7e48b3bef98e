from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsproof.controls import load_waivers, parse_waivers
from opsproof.controls.strict_yaml import YamlError
from opsproof.evidence.model import Subject, SubjectKind

GOOD = """\
- control: INS-DISK-001
  subject: app-0?/host/*
  reason: ordered
  approver: Wang
  expires: 2026-12-31
"""
APP = Subject(kind=SubjectKind.HOST, id="app-01", host="app-01")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_waiver_holds_through_its_last_day() -> None:
    (waiver,) = parse_waivers(GOOD.encode())
    assert waiver.covers("INS-DISK-001", APP, at("2026-12-31T23:59:59"))
    assert not waiver.covers("INS-DISK-001", APP, at("2027-01-01T00:00:00"))


def test_a_waiver_covers_its_control_and_subjects_only() -> None:
    (waiver,) = parse_waivers(GOOD.encode())
    now = at("2026-11-22T00:00:00")
    assert not waiver.covers("INS-DISK-002", APP, now)
    for other in (
        Subject(kind=SubjectKind.HOST, id="app-10", host="app-10"),
        Subject(kind=SubjectKind.SITE, id="app-01", host="app-01"),
    ):
        assert not waiver.covers("INS-DISK-001", other, now)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("  reason: ordered\n", "", "w.yml:1: a waiver has exactly the keys control, subject, "),
        ("reason: ordered", "reason: ''", "w.yml:3: 'reason' is not text"),
        ("2026-12-31", "soon", "w.yml:5: 'soon' is not a date"),
        ("app-0?/host/*", "app-01", "w.yml:2: 'app-01' is not host/kind/id"),
        ("INS-DISK-001", "INS-X-1", "w.yml:1: there is no control INS-X-1"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, error: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse_waivers(GOOD.replace(old, new).encode(), name="w.yml", controls=["INS-DISK-001"])
    assert str(caught.value).startswith(error)


def test_no_file_is_no_waiver(tmp_path: Path) -> None:
    assert load_waivers(tmp_path / "waivers.yml") == []
    assert parse_waivers(b"") == []
    with pytest.raises(YamlError, match="is not a list of waivers"):
        parse_waivers(b"a: 1\n")
