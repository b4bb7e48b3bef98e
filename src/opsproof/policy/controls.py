"""One control for each setting of a baseline, as the file ``controls/hardening.yml`` has it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from opsproof.policy.baseline import Baseline, Comparison, Setting
from opsproof.policy.targets import Service

_CLAUSES = {
    "account-policy": "gbt22239-2019:8.1.4.1.a",
    "user-rights": "gbt22239-2019:8.1.4.2.d",
    "audit-policy": "gbt22239-2019:8.1.4.3.a",
}
_OTHER = "gbt22239-2019:8.1.4.4.b"
_REMEDY_ZH = "核对差异后执行 harden 剧本；确需例外时登记审批人和期限"
_REMEDY_EN = (
    "Look at the difference and run the playbook harden; else record a waiver with approver and end"
)
_OWNER_ZH = "由域组策略“{owner}”设定，本机修改会被覆盖：请在该 GPO 中修改，再执行 gpupdate /force"
_OWNER_EN = (
    'GPO "{owner}" sets it and would undo a local change: change it there, then gpupdate /force'
)
DOMAIN_ID = "HRD-DOM-001"
"""The control that a domain member says which settings are the domain's."""
_DOMAIN = f"""\
  - id: {DOMAIN_ID}
    title:
      zh: 域成员能说明哪些设置由域组策略设定（RSoP 可读）
      en: A domain member says which settings Group Policy sets (RSoP can be read)
    remedy:
      zh: 检查 WMI 服务以及策略“关闭策略的结果集日志”未启用，再执行 gpupdate /force
      en: See that the WMI service runs and that RSoP logging is not turned off, then gpupdate /force
    subject: host
    severity: medium
    demands: [B-3, F-2]
    clauses:
      - {{id: "gbt22239-2019:8.1.10.8.a", reviewed: false}}
    applies: {{not: {{path: domain.name, empty: true}}}}
    test: {{path: domain.known, equals: true}}"""
TAKEN_BACK_ID = "HRD-RUN-001"
"""The control that no host had to take back what a run had applied."""
STOPPED_ID = "HRD-RUN-002"
"""The control that whatever worked before a run works after it."""
_RUN = f"""\
  - id: {TAKEN_BACK_ID}
    title:
      zh: 本次运行所改的设置均经新会话确认，主机没有自行撤回
      en: What this run changed was confirmed by a new session and not taken back by the host
    remedy:
      zh: 所列设置会切断连接，已由主机自行撤回：换一种连接方式，或登记例外后再执行 harden 剧本
      en: >-
        These settings cut the connection and the host took them back: connect another way, or record a
        waiver, then run the playbook harden
    subject: host
    severity: high
    demands: [B-3, F-2]
    clauses:
      - {{id: "gbt22239-2019:8.1.10.8.a", reviewed: false}}
    test: {{path: taken_back, empty: true}}
  - id: {STOPPED_ID}
    title:
      zh: 加固前正常的服务、站点、应用程序池和端口，加固后依然正常
      en: Services, sites, pools and ports that worked before the run work after it
    remedy:
      zh: 用 restore_hardening 剧本恢复到加固前，查明原因后再执行
      en: Put back what stood before with the playbook restore_hardening, and look for the cause
    subject: host
    severity: critical
    demands: [B-3, F-2]
    clauses:
      - {{id: "gbt22239-2019:8.1.10.8.a", reviewed: false}}
    test: {{path: stopped, empty: true}}"""


def controls_yaml(baselines: Iterable[Baseline]) -> str:
    """The file of controls: every setting of every baseline, in their order."""
    lines = [
        "---",
        "# Written by scripts/hardening_controls.py from baselines/; a test holds the two together.",
        "activity: hardening",
        "owner_remedy:",
        f"  zh: {_text(_OWNER_ZH)}",
        f"  en: {_text(_OWNER_EN)}",
        "controls:",
    ]
    for baseline in baselines:
        for setting in baseline.settings:
            lines += _control(baseline, setting)
    lines += [_DOMAIN, _RUN]
    return "\n".join(lines) + "\n"


def _control(baseline: Baseline, setting: Setting) -> list[str]:
    clause = _CLAUSES.get(setting.category, _OTHER)
    lines = [
        f"  - id: {setting.id}",
        "    title:",
        f"      zh: {_text(setting.title.zh)}",
        f"      en: {_text(setting.title.en)}",
        "    remedy:",
        f"      zh: {_REMEDY_ZH}",
        f"      en: {_REMEDY_EN}",
        "    subject: host",
        f"    severity: {setting.severity.value}",
        "    demands: [B-3, F-2]",
        "    clauses:",
        f'      - {{id: "{clause}", reviewed: false}}',
    ]
    applies = _applies(baseline, setting)
    if applies:
        lines += ["    applies:", *(f"      {line}" for line in applies)]
    lines.append(f"    owner: settings.{setting.slug}.gpo")
    return [*lines, "    test:", *(f"      {line}" for line in _test(setting))]


def _applies(baseline: Baseline, setting: Setting) -> list[str]:
    """Layers and releases narrow a control; a setting that should be there and is not is an error."""
    parts = []
    if baseline.over:
        parts.append(f"- {{path: baselines, contains: {baseline.id}}}")
    if setting.releases:
        releases = ", ".join(f'"{release}"' for release in setting.releases)
        parts.append(f"- {{path: release, one_of: [{releases}]}}")
    return ["all:", *(f"  {part}" for part in parts)] if parts else []


def _test(setting: Setting) -> list[str]:
    present = f"{{path: settings.{setting.slug}.present, equals: true}}"
    absent = f"{{path: settings.{setting.slug}.present, equals: false}}"
    value = f"settings.{setting.slug}.value"
    wanted = setting.value
    if setting.comparison is Comparison.ABSENT:
        return [f"path: settings.{setting.slug}.present", "equals: false"]
    if isinstance(setting.target, Service):
        return ["any:", f"  - {absent}", f"  - {{path: {value}, equals: {_value(wanted)}}}"]
    lines = ["all:", f"  - {present}"]
    match setting.comparison:
        case Comparison.AT_LEAST:
            # -1 is "for ever" in account policy.
            lines += [
                "  - any:",
                f"      - {{path: {value}, at_least: {wanted}}}",
                f"      - {{path: {value}, equals: -1}}",
            ]
        case Comparison.AT_MOST_NOT_ZERO:
            lines += [
                f"  - {{path: {value}, at_least: 1}}",
                f"  - {{path: {value}, at_most: {wanted}}}",
            ]
        case Comparison.CONTAINS if isinstance(wanted, int):
            good = ", ".join(str(flags) for flags in range(4) if flags & wanted == wanted)
            lines.append(f"  - {{path: {value}, one_of: [{good}]}}")
        case Comparison.CONTAINS if isinstance(wanted, tuple):
            lines += [f"  - {{path: {value}, contains: {_value(one)}}}" for one in wanted]
        case _:
            lines += [f"  - path: {value}", f"    equals: {_value(wanted)}"]
    return lines


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(one) for one in sorted(value)) + "]"
    return str(value) if isinstance(value, int) else f'"{_escaped(str(value))}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
