from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.errors import OpsproofError, UsageError
from opsproof.evidence.model import SubjectKind
from opsproof.run.rules import load_rules


def test_rules_carry_the_bytes_that_they_were_read_from(project: Path) -> None:
    found = load_rules(project, project / "inventory")
    assert sorted(one.id for one in found.controls) == ["PRB-1", "SCH-1"]
    assert found.waivers == ()
    assert found.files["waivers.yml"] == b"[]\n"
    assert found.files["controls/probe.yml"] == (project / "controls" / "probe.yml").read_bytes()


def test_detection_rules_are_kept_as_they_are(project: Path) -> None:
    (project / "rules" / "windows").mkdir(parents=True)
    (project / "rules" / "windows" / "one.yml").write_bytes(b"title: one\n")
    files = load_rules(project, project / "inventory").files
    assert files["rules/windows/one.yml"] == b"title: one\n"


def test_waivers_and_the_register_lie_beside_the_inventory(project: Path) -> None:
    (project / "inventory" / "waivers.yml").write_text(
        "- {control: PRB-1, subject: h1/host/*, reason: new disk, approver: Wang, expires: '2026-12-31'}\n"
    )
    (project / "inventory" / "register.yml").write_text(
        "subjects:\n- {activity: probe, kind: site, id: portal, host: h1}\n"
    )
    found = load_rules(project, project / "inventory")
    assert [one.control for one in found.waivers] == ["PRB-1"]
    assert found.register == {"h1": [("probe", SubjectKind.SITE, "portal")]}


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("controls/probe.yml", "activity: probe\n", "probe.yml"),
        ("inventory/waivers.yml", "- {control: NONE-1}\n", "waivers.yml:1"),
        ("inventory/register.yml", "subjects: [{host: h1}]\n", "register.yml: Object missing"),
        ("inventory/register.yml", "subjects: [", "register.yml: while parsing"),
    ],
)
def test_wrong_rules_stop_a_run_before_it_starts(
    project: Path, file: str, text: str, message: str
) -> None:
    (project / file).write_text(text)
    with pytest.raises(OpsproofError) as caught:
        load_rules(project, project / "inventory")
    assert message in str(caught.value)


def test_a_project_without_controls_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it holds no controls"):
        load_rules(tmp_path, tmp_path)
