"""Section 2 of the sheet: findings as rows, in the groups of form D."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from opsproof.evidence.model import Finding, Json, State, SubjectKind
from opsproof.reports.labels import both, labels
from opsproof.reports.model import (
    LANGUAGES,
    Asset,
    Bilingual,
    ControlRecord,
    FollowUp,
    Group,
    GroupBlock,
    HostLine,
    Row,
)
from opsproof.reports.wording import (
    measured,
    paths,
    setting_demand,
    setting_value,
    threshold,
    words_of,
)

_BY_ACTIVITY = {
    "log_audit": Group.SECURITY,
    "log_collection": Group.SECURITY,
    "schedule": Group.SERVICES,
    "signatures": Group.AV,
    "patching": Group.PATCHES,
    "backup": Group.BACKUP,
    "sqlserver": Group.SQL,
    "hardening": Group.HARDENING,
}
_BY_SUBJECT = {
    SubjectKind.SITE: Group.IIS,
    SubjectKind.CERTIFICATE: Group.IIS,
    SubjectKind.SQL_INSTANCE: Group.SQL,
}
_BY_FACT = {"iis": Group.IIS, "security": Group.SECURITY, "audit": Group.SECURITY}

_VALUES = 3
_STATES = (State.FAIL, State.ERROR, State.WAIVED, State.NOT_COLLECTED)
_SEVERITIES = ("critical", "high", "medium", "low", "info")


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as this sheet counts it, and its line in ``findings.jsonl``, from 1.

    ``state`` differs from the finding's own when it only stands for what was not collected
    (``inferred``).
    """

    finding: Finding
    line: int
    state: State
    inferred: bool = False


def group_of(finding: Finding, control: ControlRecord | None) -> Group:
    """The block in which a finding is printed: by kind of subject, activity, and facts it tests.

    The kind is the control's: where nothing was seen of a host, it stands in for its sites.
    """
    kind = control.subject if control is not None else finding.subject.kind
    if kind in _BY_SUBJECT:
        return _BY_SUBJECT[SubjectKind(kind)]
    if control is not None and control.activity in _BY_ACTIVITY:
        return _BY_ACTIVITY[control.activity]
    tops = {path.partition(".")[0] for path in paths(finding.expected)}
    return next((_BY_FACT[top] for top in sorted(tops) if top in _BY_FACT), Group.HOST)


def group_blocks(
    judged: Sequence[Judged],
    controls: Mapping[str, ControlRecord],
    assets: Mapping[str, Asset],
    outcomes: Mapping[str, str],
    follow_ups: Mapping[tuple[str, ...], Sequence[Finding]],
) -> tuple[GroupBlock, ...]:
    """All blocks in print order, rows numbered through."""
    silent = _silent_hosts(judged)
    rows: dict[Group, list[Row]] = defaultdict(list)
    lines: dict[Group, dict[str, dict[State, list[str]]]] = defaultdict(dict)
    for host, items in silent.items():
        later = [f for item in items for f in follow_ups.get(check_key(item.finding), ())]
        rows[Group.HOST].append(_host_row(host, items, assets, outcomes.get(host, ""), later))
    quiet = Counter[Group]()
    settings: list[Judged] = []
    for item in judged:
        finding, control = item.finding, controls.get(item.finding.control)
        group = group_of(finding, control)
        if group is Group.HARDENING and item.state in (State.PASS, State.NOT_APPLICABLE):
            # Hundreds a host: the part on settings counts them.
            continue
        if group is Group.HARDENING and finding.subject.host not in silent:
            settings.append(item)
        elif item.state in (State.PASS, State.NOT_APPLICABLE):
            states = lines[group].setdefault(finding.subject.host, defaultdict(list))
            states[item.state].append(finding.id)
        elif finding.subject.host in silent:
            quiet[group] += 1
        else:
            rows[group].append(
                _row(item, group, control, assets, follow_ups.get(check_key(finding), ()))
            )
    rows[Group.HARDENING] += setting_rows(settings, controls, assets, follow_ups)
    return tuple(_numbered(rows, lines, quiet, assets))


def setting_rows(
    items: Iterable[Judged],
    controls: Mapping[str, ControlRecord],
    assets: Mapping[str, Asset],
    follow_ups: Mapping[tuple[str, ...], Sequence[Finding]],
) -> Iterator[Row]:
    """One row for a setting that deviates, however many hosts it deviates on.

    What a domain's GPO sets is a row of its own: somebody else has to act.
    """
    groups: dict[tuple[str, State, str], list[tuple[Judged, Row]]] = defaultdict(list)
    for item in items:
        finding = item.finding
        later = follow_ups.get(check_key(finding), ())
        row = _row(item, Group.HARDENING, controls.get(finding.control), assets, later)
        row = msgspec.structs.replace(row, threshold=setting_demand(finding.expected))
        if item.state is State.FAIL:
            said = _said(finding, controls.get(finding.control))
            row = msgspec.structs.replace(row, measured=said)
        groups[finding.control, item.state, row.remedy.get("en", "")].append((item, row))
    for members in groups.values():
        rows = [row for _, row in members]
        if len(rows) == 1:
            yield rows[0]
            continue
        later = [
            follow for item, _ in members for follow in follow_ups.get(check_key(item.finding), ())
        ]
        yield msgspec.structs.replace(
            rows[0],
            host="",
            asset=Asset(),
            findings=tuple(row.findings[0] for row in rows),
            hosts=tuple(sorted(row.host for row in rows)),
            measured={tag: _tally([row.measured[tag] for row in rows]) for tag in LANGUAGES},
            follow_up=_follow_up(later),
        )


def _said(finding: Finding, control: ControlRecord | None) -> Bilingual:
    """The value of a setting, and the GPO that sets it."""
    said, owner = words_of(setting_value(finding.observed)), owner_of(finding, control)
    if not owner:
        return said
    gpo = both("settings.gpo", gpo=owner)
    return {tag: f"{said[tag]} · {gpo[tag]}" for tag in LANGUAGES}


def _tally(texts: Sequence[str]) -> str:
    """What was measured and on how many hosts, the most frequent first; at most three."""
    counts = sorted(Counter(texts).items(), key=lambda pair: (-pair[1], pair[0]))
    shown = " · ".join(f"{text} ×{count}" for text, count in counts[:_VALUES])
    return f"{shown} · … (+{len(counts) - _VALUES})" if len(counts) > _VALUES else shown


def _numbered(
    rows: Mapping[Group, list[Row]],
    lines: Mapping[Group, Mapping[str, Mapping[State, list[str]]]],
    silent: Mapping[Group, int],
    assets: Mapping[str, Asset],
) -> Iterator[GroupBlock]:
    number = 0
    for group in Group:
        if group is Group.HARDENING and not rows.get(group) and not silent.get(group):
            # Settings are looked at now and then; a day without is no gap.
            continue
        ordered = sorted(rows.get(group, ()), key=_order)
        numbered = []
        for row in ordered:
            number += 1
            numbered.append(msgspec.structs.replace(row, number=number))
        hosts = lines.get(group, {})
        yield GroupBlock(
            group=group,
            silent=silent.get(group, 0),
            rows=tuple(numbered),
            lines=tuple(
                HostLine(
                    host=host,
                    asset=assets.get(host, Asset()),
                    normal=tuple(hosts[host].get(State.PASS, ())),
                    not_applicable=tuple(hosts[host].get(State.NOT_APPLICABLE, ())),
                )
                for host in sorted(hosts, key=lambda name: _asset_order(name, assets.get(name)))
            ),
        )


def _silent_hosts(judged: Iterable[Judged]) -> dict[str, list[Judged]]:
    """Hosts of which nothing that was due came back."""
    by_host: dict[str, list[Judged]] = defaultdict(list)
    for item in judged:
        by_host[item.finding.subject.host].append(item)
    return {
        host: items
        for host, items in by_host.items()
        if host and len(items) > 1 and all(item.state is State.NOT_COLLECTED for item in items)
    }


def _host_row(
    host: str,
    items: Sequence[Judged],
    assets: Mapping[str, Asset],
    outcome: str,
    later: Sequence[Finding],
) -> Row:
    severities = {item.finding.severity.value for item in items}
    measured = {
        tag: labels(tag)(
            "row.host.measured" if outcome else "row.host.measured.no-run",
            outcome=labels(tag)(f"outcome.{outcome}") if outcome else "",
            count=len(items),
        )
        for tag in LANGUAGES
    }
    return Row(
        number=0,
        group=Group.HOST,
        host=host,
        asset=assets.get(host, Asset()),
        subject="",
        control="",
        findings=tuple(item.finding.id for item in items),
        state=State.NOT_COLLECTED,
        severity=next(name for name in _SEVERITIES if name in severities),
        title=both("row.host.title"),
        remedy=both("row.host.remedy"),
        threshold=both("row.host.threshold", count=len(items)),
        measured=measured,
        follow_up=_follow_up(later),
    )


def _follow_up(later: Sequence[Finding]) -> tuple[FollowUp, ...]:
    counts = Counter((finding.run, finding.state) for finding in later)
    return tuple(
        FollowUp(run=run, state=state, count=counts[run, state]) for run, state in sorted(counts)
    )


def _row(
    item: Judged,
    group: Group,
    control: ControlRecord | None,
    assets: Mapping[str, Asset],
    later: Sequence[Finding],
) -> Row:
    finding = item.finding
    return Row(
        number=0,
        group=group,
        host=finding.subject.host,
        asset=assets.get(finding.subject.host, Asset()),
        subject=subject_name(finding),
        control=finding.control,
        findings=(finding.id,),
        state=item.state,
        severity=finding.severity.value,
        title=control.title if control else {"zh-CN": finding.control, "en": finding.control},
        remedy=remedy(finding, control),
        threshold=threshold(finding),
        measured=measured(finding, item.state),
        follow_up=_follow_up(later),
    )


def remedy(finding: Finding, control: ControlRecord | None) -> Bilingual:
    """What to do about it; where somebody else decides what the fact is, what they have to do."""
    if control is None:
        return both("row.host.remedy")
    owner = owner_of(finding, control)
    if not owner:
        return control.remedy
    return {tag: text.replace("{owner}", owner) for tag, text in control.owner_remedy.items()}


def owner_of(finding: Finding, control: ControlRecord | None) -> str:
    """Who else decides what the fact is, empty for nobody."""
    seen = finding.observed
    known = control is not None and control.owner and isinstance(seen, dict)
    return str(seen.get(control.owner) or "") if control and known else ""


def subject_name(finding: Finding) -> str:
    """What a finding is about below the host; empty when it is about the host itself."""
    subject = finding.subject
    return "" if subject.kind is SubjectKind.HOST and subject.id == subject.host else subject.id


def check_key(finding: Finding) -> tuple[str, ...]:
    """What makes two findings answers to the same question: control and subject."""
    subject = finding.subject
    return finding.control, subject.kind, subject.id, subject.host


def _order(row: Row) -> Json:
    return (
        _STATES.index(row.state),
        _SEVERITIES.index(row.severity),
        row.control,
        _asset_order(row.host, row.asset),
        row.subject,
        row.findings,
    )


def _asset_order(host: str, asset: Asset | None) -> tuple[str, str]:
    return (asset.code if asset else ""), host
