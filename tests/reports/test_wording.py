from __future__ import annotations

from typing import Any

import pytest
from tests.reports.estate import control_files

from opsproof.controls.conditions import as_json
from opsproof.controls.load import parse_controls
from opsproof.evidence.model import Finding, Severity, State, Subject, SubjectKind
from opsproof.reports.wording import measured, paths, threshold


def finding(expected: Any, observed: Any = None, waiver: str | None = None) -> Finding:
    return Finding(
        id="FND-1",
        run="r",
        control="C-1",
        control_sha256="0",
        severity=Severity.HIGH,
        subject=Subject(kind=SubjectKind.HOST, id="h", host="h"),
        state=State.FAIL,
        expected=expected,
        observed=observed,
        waiver=waiver,
    )


GAPS = {
    "none": "gaps",
    "least": 0,
    "where": {"path": "kind", "one_of": ["log-cleared", "missing-day"]},
    "holds": {"all": [{"path": "kind", "present": True}, {"path": "detail", "present": True}]},
}
DISKS = {"every": "disks", "holds": {"path": "free_percent", "at_least": 10}, "least": 1}


@pytest.mark.parametrize(
    ("expected", "zh", "en"),
    [
        (DISKS, "每个磁盘：可用率 ≥ 10%", "all disks: free ≥ 10%"),
        (
            {
                "all": [
                    {"path": "clock.offset_ms", "at_least": -5},
                    {"path": "clock.offset_ms", "at_most": 5},
                ]
            },
            "-5 ms ≤ 时钟偏差 ≤ 5 ms",
            "-5 ms ≤ clock offset ≤ 5 ms",
        ),
        ({"path": "security.log_cleared", "empty": True}, "日志清除应为空", "no cleared logs"),
        ({"path": "state", "one_of": ["A", "B"]}, "状态为A、B之一", "state one of A, B"),
        ({"path": "via", "present": False}, "代查主机应无值", "asked through is not there"),
        (
            {"not": {"path": "pending_reboot.pending", "equals": True}},
            "并非（等待重启 = 是）",
            "not (reboot pending = yes)",
        ),
        (
            {"any": [{"path": "critical", "at_most": 0}, {"path": "errors", "at_most": 1}]},
            "严重级事件 ≤ 0，或错误级事件 ≤ 1",
            "critical events ≤ 0, or error events ≤ 1",
        ),
        (
            {
                "none": "services.auto_stopped",
                "where": {"path": "trigger", "equals": False},
                "holds": {"path": "name", "present": True},
                "least": 0,
            },
            "没有已停的自动服务（触发启动 = 否）",
            "no stopped automatic services (trigger start = no)",
        ),
        (
            GAPS,
            "没有日志断点（类别为日志被清除、缺少一天的日志之一）",
            "no gaps in the logs (kind one of log cleared, a day is missing)",
        ),
        ({"path": "rules.high", "empty": True}, "高危命中应为空", "no hits of high severity"),
        ({"path": "a.unheard_of", "at_most": 3}, "unheard_of ≤ 3", "unheard_of ≤ 3"),
    ],
)
def test_a_condition_reads_as_a_threshold(expected: Any, zh: str, en: str) -> None:
    assert threshold(finding(expected)) == {"zh-CN": zh, "en": en}


@pytest.mark.parametrize(
    ("expected", "observed", "en"),
    [
        (
            DISKS,
            {
                "disks": {
                    "elements": 2,
                    "offending": 1,
                    "shown": [{"letter": "D", "free_percent": 3, "size_mb": 9}],
                }
            },
            "1 of 2 not met: D: free 3%",
        ),
        (
            {"path": "security.log_cleared", "empty": True},
            {"security.log_cleared": [{"channel": "Security", "record_id": 7, "sha256": "x"}]},
            "1: Security: record 7",
        ),
        ({"path": "days_left", "at_least": 30}, {"days_left": 12}, "days left: 12 days"),
        (
            {"path": "ports.missing", "empty": True},
            {"ports.missing": [80, 443]},
            "missing: 80, 443",
        ),
        (
            {"path": "ports.missing", "empty": True},
            {"ports.missing": [1, 2, 3, 4, 5, 6]},
            "missing: 1, 2, 3, 4, (6 in all)",
        ),
        (
            {"some": "pools", "holds": {"path": "state", "equals": "Started"}, "least": 0},
            {"pools": {"elements": 3, "offending": 0, "shown": []}},
            "none of 3 fits",
        ),
    ],
)
def test_what_decided_reads_as_measured(expected: Any, observed: Any, en: str) -> None:
    assert measured(finding(expected, observed), State.FAIL)["en"] == en


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0, "0秒", "0 s"),
        (59, "59秒", "59 s"),
        (60, "1分", "1 min"),
        (3725, "1小时2分", "1 h 2 min"),
        (7_776_000, "90天", "90 days"),
        (10_654_206, "123天7小时", "123 days 7 h"),
        (7_776_059, "90天", "90 days"),
        (-90, "-1分30秒", "-1 min 30 s"),
    ],
)
def test_a_duration_reads_in_its_two_largest_units(seconds: int, zh: str, en: str) -> None:
    assert threshold(finding({"path": "uptime_seconds", "at_most": seconds})) == {
        "zh-CN": f"运行时间 ≤ {zh}",
        "en": f"uptime ≤ {en}",
    }


def test_what_was_found_in_logs_is_named_in_the_language_of_the_sheet() -> None:
    rule = {"rule": "x", "title": "SQL injection", "title_zh": "SQL注入", "hits": 204}
    plain = {"rule": "y", "title": "Other", "title_zh": "", "hits": 1}
    expected = {"path": "rules.high", "empty": True}
    found = measured(finding(expected, {"rules.high": [rule, plain]}), State.FAIL)
    assert found == {
        "zh-CN": "2个：SQL注入：204次、Other：1次",
        "en": "2: SQL injection: 204 hits, Other: 1 hits",
    }
    gap = {"kind": "log-cleared", "channel": "Security", "detail": "by anna", "file": "x"}
    observed: Any = {"gaps": {"elements": 1, "offending": 1, "shown": [gap]}}
    assert measured(finding(GAPS, observed), State.FAIL) == {
        "zh-CN": "1个中1个不符：Security：类别 日志被清除，详情 by anna",
        "en": "1 of 1 not met: Security: kind log cleared, detail by anna",
    }


def test_a_waived_finding_says_so_and_still_shows_what_was_seen() -> None:
    seen = measured(finding({"path": "x", "at_most": 1}, {"total": 2}, "WVR-1"), State.WAIVED)
    assert seen == {"zh-CN": "总数：2（按例外放行）", "en": "total: 2 (passed by waiver)"}


def test_nothing_is_measured_where_nothing_was_collected() -> None:
    silent = finding(DISKS, {"outcome": "unreachable", "reason": "timed out"})
    assert measured(silent, State.NOT_COLLECTED)["en"] == "not collected"
    assert measured(finding(DISKS, {"error": "…"}), State.ERROR)["zh-CN"] == "事实缺失，无法判定"


def test_the_paths_of_a_condition_are_those_it_starts_from() -> None:
    condition = {"all": [DISKS, {"not": {"path": "a.b", "equals": 1}}]}
    assert list(paths(condition)) == ["disks", "a.b"]


def test_every_shipped_control_reads_in_both_languages() -> None:
    controls = parse_controls(control_files())
    assert controls
    for control in controls:
        both = threshold(finding(as_json(control.test)))
        assert both["zh-CN"], control.id
        assert both["zh-CN"] != both["en"], control.id
