"""In which block of the sheet a finding is printed."""

from __future__ import annotations

import pytest

from opsproof.evidence.model import Finding, Severity, State, Subject, SubjectKind
from opsproof.reports.model import ControlRecord, Group
from opsproof.reports.rows import group_of


@pytest.mark.parametrize(
    ("activity", "kind", "fact", "group"),
    [
        ("log_audit", SubjectKind.HOST, "by_severity.high", Group.SECURITY),
        ("log_collection", SubjectKind.HOST, "left_count", Group.SECURITY),
        ("log_collection", SubjectKind.SITE, "logging", Group.IIS),
        ("inspection", SubjectKind.HOST, "security.serious_hits", Group.SECURITY),
        ("inspection", SubjectKind.HOST, "clock.offset_ms", Group.HOST),
        ("schedule", SubjectKind.DUE_ITEM, "done", Group.SERVICES),
    ],
)
def test_a_finding_is_printed_by_subject_activity_and_fact(
    activity: str, kind: SubjectKind, fact: str, group: Group
) -> None:
    control = ControlRecord(
        id="X-1", sha256="", activity=activity, subject=kind, severity="high", title={},
        remedy={}, demands=(), clauses=(),
    )  # fmt: skip
    finding = Finding(
        id="FND-1", run="r", control="X-1", control_sha256="", severity=Severity.HIGH,
        subject=Subject(kind=SubjectKind.HOST, id="a", host="a"), state=State.FAIL,
        expected={"path": fact, "equals": 0}, observed={},
    )  # fmt: skip
    assert group_of(finding, control) is group
