"""One audit of the logs of all hosts, and what it says of each of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from opsproof.collection.home import FOLDER_LOGS, HandedOver, read_lists
from opsproof.collection.plan import OVERLAP
from opsproof.errors import IncompleteError
from opsproof.evidence.canonical import decode, jsonable
from opsproof.evidence.ids import moment, timestamp
from opsproof.evidence.model import Severity
from opsproof.evidence.schemas.log_audit import (
    Audited,
    BySeverity,
    HitRules,
    HostFacts,
    RuleHits,
    Suppressions,
)
from opsproof.evidence.sums import sha256_file
from opsproof.logs import times
from opsproof.logs.habits import SiteDays
from opsproof.logs.model import FAULTS, INCIDENTS, AuditReport, Gap, Hit

HITS = 40
"""Hits that the facts of a host show, at most; fewer where they are large."""

_HITS_BYTES = 120 * 1024
_LISTED = 50
_ORDER = tuple(Severity)


def inputs(staging: Path) -> dict[str, Any]:
    """What the audit of everything at home is asked for: ``paths``, ``since``, ``schemas``, ``hosts``.

    ``since`` is an hour before the first record that counts, so that bursts are seen whole.
    """
    lists = read_lists(staging)
    starts = [moment(file.since) for one in lists for file in one.files]
    return {
        "paths": [str(staging / FOLDER_LOGS)],
        "since": timestamp(min(starts) - OVERLAP) if starts else "",
        "schemas": sorted({schema for one in lists for schema in one.schemas}),
        "hosts": [one.host for one in lists],
        "files": len(starts),
    }


def site_days(staging: Path) -> tuple[SiteDays, ...]:
    """The web sites of all hosts, and which of their days are judged: those that have ended since."""
    return tuple(site for one in read_lists(staging) for site in _sites(one))


def _sites(over: HandedOver) -> Iterator[SiteDays]:
    for site in over.sites:
        yield SiteDays(
            folder=f"{FOLDER_LOGS}/{over.host}/{site.folder}/",
            begin=moment(over.days_from).date(),
            end=moment(over.until).date(),
            days={date.fromisoformat(day): size for day, size in site.days.items()},
        )


@dataclass(frozen=True)
class _Window:
    """From when on records of a file count, in microseconds, and on which host it was."""

    since: int
    host: str


class _Windows:
    """The windows of all files. By content: the same log under two names is audited once."""

    def __init__(self, lists: Sequence[HandedOver]) -> None:
        self._by_content: dict[str, list[_Window]] = defaultdict(list)
        for one in lists:
            for file in one.files:
                window = _Window(times.micros(moment(file.since)), one.host)
                self._by_content[file.sha256].append(window)

    def concern(self, hit: Hit, host: str) -> bool:
        """Whether a hit is of this host and new. A burst concerns every host that it names."""
        if hit.burst is None:
            return any(_is_new(hit.time, one) for one in self._of(hit.sha256, host))
        contents = {hit.sha256, *(member.sha256 for member in hit.burst.members)}
        return any(
            _is_new(hit.burst.last, one) for sha256 in contents for one in self._of(sha256, host)
        )

    def hold(self, gap: Gap, host: str) -> bool:
        """Whether a gap is of this host and new. A log that was cleared before has been told before."""
        if gap.kind == "log-cleared":
            return any(_is_new(gap.first, one) for one in self._of(gap.sha256, host))
        return _host_of(gap.file) == host

    def _of(self, sha256: str, host: str) -> list[_Window]:
        return [one for one in self._by_content.get(sha256, ()) if one.host == host]


def host_facts(staging: Path, report_file: Path, host: str) -> dict[str, Any]:
    """Facts of one host from the report of all.

    Raises:
        IncompleteError: the host has handed nothing over, or the report is not there.
    """
    lists = read_lists(staging)
    mine = next((one for one in lists if one.host == host), None)
    if mine is None:
        raise IncompleteError("its logs were not collected", where=host)
    if not any(one.files for one in lists):
        return _plain(_nothing_new(mine, len(lists)))
    if not report_file.is_file():
        raise IncompleteError("there is no report", where=str(report_file))
    report = decode(report_file.read_bytes(), AuditReport, where=str(report_file))
    return _plain(_facts(report, sha256_file(report_file), lists, mine))


def _plain(facts: HostFacts) -> dict[str, Any]:
    built: dict[str, Any] = jsonable(facts)
    return built


def _nothing_new(mine: HandedOver, hosts: int) -> HostFacts:
    return HostFacts(
        since=mine.since,
        audit=Audited(
            hosts=hosts,
            files=0,
            bytes=0,
            records=0,
            examined=0,
            unreadable_records=0,
            rules_run=0,
            faulty_rules=(),
            rules_without_logs=0,
            rules_sha256="",
            report_sha256="",
            unattributed=0,
        ),
        by_severity=None,
        rules=None,
        hits=None,
        unreadable=(),
        # Nobody looked whether a day of them lacks its log.
        gaps=None if mine.sites else (),
        blind=(),
        suppressions=Suppressions(hits=0, expired=()),
    )


def _facts(
    report: AuditReport, sha256: str, lists: Sequence[HandedOver], mine: HandedOver
) -> HostFacts:
    windows = _Windows(lists)
    hits = [hit for hit in report.hits if windows.concern(hit, mine.host)]
    known = {one.sha256: one for one in report.sources}
    sources = [known[file.sha256] for file in mine.files if file.sha256 in known]
    contents = {file.sha256 for file in mine.files}
    examined = sum(one.records - one.filtered for one in sources)
    unreadable = [
        one
        for one in report.unreadable
        if one.sha256 in contents or _host_of(one.file) == mine.host
    ]
    return HostFacts(
        since=mine.since,
        audit=Audited(
            hosts=len(lists),
            files=len(mine.files),
            bytes=sum(file.bytes for file in mine.files),
            records=sum(one.records for one in sources),
            examined=examined,
            site_days=sum(len(one.judged()) for one in _sites(mine)),
            site_rests=sum(len(one.rests()) for one in _sites(mine)),
            unreadable_records=sum(one.unreadable for one in sources),
            rules_run=report.counts.rules_run,
            faulty_rules=tuple(r for r in report.rules_not_run if r.reason in FAULTS)[:_LISTED],
            rules_without_logs=sum(r.reason not in FAULTS for r in report.rules_not_run),
            rules_sha256=report.rules_sha256,
            report_sha256=sha256,
            unattributed=sum(rule.hits - rule.shown for rule in report.rules_run),
        ),
        # Where nothing was looked at, nothing was found out: no hit is no all-clear then.
        by_severity=_by_severity(hits) if examined else None,
        rules=_by_rule(report, hits) if examined else None,
        hits=tuple(_first(sorted(hits, key=_worst_first))) if examined else None,
        unreadable=tuple(unreadable[:_LISTED]),
        gaps=_gaps(report, windows, mine.host),
        blind=tuple(one for one in report.blind if one.sha256 in contents)[:_LISTED],
        suppressions=Suppressions(
            hits=report.counts.suppressed,
            expired=tuple(one for one in report.suppressions if one.expired)[:_LISTED],
        ),
    )


def _gaps(report: AuditReport, windows: _Windows, host: str) -> tuple[Gap, ...]:
    """The gaps of a host, incidents first: only so many are listed."""
    mine = [gap for gap in report.gaps if windows.hold(gap, host)]
    return tuple(sorted(mine, key=lambda gap: gap.kind not in INCIDENTS)[:_LISTED])


def _is_new(time: str | None, window: _Window) -> bool:
    micros = times.parse(time) if time else None
    return micros is None or micros >= window.since


def _host_of(file: str) -> str:
    """The host of a file by its name in the report, ``logs/HOST/...``.

    A host's own folder is reported where it cannot be listed.
    """
    parts = file.split("/")
    return parts[1] if len(parts) > 1 and parts[0] == FOLDER_LOGS else ""


def _by_severity(hits: Sequence[Hit]) -> BySeverity:
    counts = Counter(hit.severity.value for hit in hits)
    return BySeverity(**{severity.value: counts[severity.value] for severity in Severity})


def _by_rule(report: AuditReport, hits: Sequence[Hit]) -> HitRules:
    chinese = {rule.rule: rule.title_zh for rule in report.rules_run}
    found: dict[str, list[Hit]] = {}
    for hit in hits:
        found.setdefault(hit.rule, []).append(hit)
    rows: dict[str, list[RuleHits]] = {severity.value: [] for severity in Severity}
    for rule, of in sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        title, zh = of[0].title, chinese.get(rule, "")
        row = RuleHits(rule=rule, title=title, title_zh=zh, hits=len(of))
        rows[of[0].severity.value].append(row)
    return HitRules(**{name: tuple(some[:_LISTED]) for name, some in rows.items()})


def _worst_first(hit: Hit) -> tuple[int, str, str]:
    return (_ORDER.index(hit.severity), hit.time or "", hit.rule)


def _first(hits: Sequence[Hit]) -> list[Hit]:
    """The hits that fit: what does not stand in the whole report, which is an artifact."""
    kept: list[Hit] = []
    size = 0
    for hit in hits[:HITS]:
        size += len(msgspec.json.encode(hit))
        if size > _HITS_BYTES:
            break
        kept.append(hit)
    return kept
