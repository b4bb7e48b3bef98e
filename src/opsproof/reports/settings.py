"""Hardening on the sheet: hundreds of settings on every host, as what deviates and what has changed.

Each host is compared with the newest earlier run that saw it, setting by setting, by what the sealed
findings say was observed. Nothing else is known of the time between, and nothing is guessed: a host
without an earlier run has no changes, and a setting that a baseline has got since is not compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from opsproof.evidence.canonical import canonical
from opsproof.evidence.model import Finding, Run, State, SubjectKind
from opsproof.evidence.reader import Bundle
from opsproof.evidence.standing import is_full
from opsproof.reports.asset import Asset
from opsproof.reports.controls import controls_of
from opsproof.reports.settings_model import ChangeKind, SettingsHost, Since

ACTIVITY = "hardening"
JUDGED = frozenset({State.PASS, State.FAIL, State.WAIVED, State.NOT_APPLICABLE})
DEVIATING = frozenset({State.FAIL, State.WAIVED})


class Seen(msgspec.Struct, frozen=True):
    """What a run said of one setting of one host; ``control_sha256`` tells one demand from another.

    ``observed`` is canonical JSON as it stands in the file: most of it is only compared.
    """

    state: State
    observed: bytes
    control_sha256: str


class HostBefore(msgspec.Struct, frozen=True):
    """A host in the newest earlier run that saw it: every setting by control."""

    run: str
    started_at: str
    settings: dict[str, Seen]


class Before(msgspec.Struct, frozen=True):
    """Everything of earlier runs that a sheet needs: hosts, and since when what deviates does."""

    hosts: dict[str, HostBefore] = msgspec.field(default_factory=dict)
    since: dict[tuple[str, str], Since] = msgspec.field(default_factory=dict)


NOTHING_BEFORE = Before()
"""No earlier run looked at any setting, or none of this sheet did."""


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """The runs' newest word on every host: ``hosts`` maps to the run's line in the ledger.

    ``findings`` are those of that run with their lines in ``findings.jsonl``; ``deviating`` host and
    control of what deviates; ``runs`` the ledger lines of all runs that looked at settings.
    """

    hosts: dict[str, int]
    findings: tuple[tuple[int, Finding], ...]
    deviating: frozenset[tuple[str, str]]
    controls: frozenset[str]
    runs: frozenset[int]


def current(runs: Iterable[tuple[int, Bundle]]) -> Current:
    """What runs (with their lines in the ledger) say last of the settings of every host."""
    hosts: dict[str, int] = {}
    newest: dict[str, list[tuple[int, Finding]]] = {}
    controls: set[str] = set()
    seqs: set[int] = set()
    for seq, bundle in sorted(runs, key=lambda pair: pair[0]):
        if not covers(bundle.run):
            continue
        seqs.add(seq)
        settings = {c.id for c in controls_of(bundle.inputs).values() if c.activity == ACTIVITY}
        controls |= settings
        found: dict[str, list[tuple[int, Finding]]] = defaultdict(list)
        for line, finding in enumerate(bundle.findings, 1):
            if finding.control in settings and finding.subject.kind is SubjectKind.HOST:
                found[finding.subject.host].append((line, finding))
        for host, items in found.items():
            if any(finding.state in JUDGED for _, finding in items):
                hosts[host], newest[host] = seq, items
    findings = tuple(item for host in sorted(newest) for item in newest[host])
    return Current(
        hosts=hosts,
        findings=findings,
        deviating=frozenset(
            (finding.subject.host, finding.control)
            for _, finding in findings
            if finding.state in DEVIATING
        ),
        controls=frozenset(controls),
        runs=frozenset(seqs),
    )


def covers(run: Run) -> bool:
    """Whether a run says how hosts are: it has looked at settings, and was no trial."""
    return ACTIVITY in run.activities and not run.check


class Lookback:
    """Collects :class:`Before` from runs that it is shown from the newest to the oldest."""

    def __init__(self, now: Current) -> None:
        """``now`` is what the sheet shows, with which older runs will be compared."""
        self._now = now.hosts
        self._sheet = now.runs
        self._open = set(now.deviating)
        self._hosts: dict[str, HostBefore] = {}
        self._since: dict[tuple[str, str], Since] = {}
        self._whole = False

    @property
    def done(self) -> bool:
        """Whether older runs can add nothing."""
        return self._whole and not self._open and self._now.keys() <= self._hosts.keys()

    def show(self, seq: int, run: Run, findings: Iterable[tuple[str, str, Seen]]) -> None:
        """A run with its line in the ledger: host, control and what was seen, for every setting.

        Hosts that the sheet does not show are remembered up to the newest run of all hosts: who was
        gone by then is no news.
        """
        by_host: dict[str, dict[str, Seen]] = defaultdict(dict)
        for host, control, seen in findings:
            if seq < self._now.get(host, seq + 1):
                by_host[host][control] = seen
        for host, settings in by_host.items():
            wanted = host not in self._hosts and (host in self._now or not self._whole)
            if wanted and any(seen.state in JUDGED for seen in settings.values()):
                self._hosts[host] = HostBefore(run.id, run.started_at, settings)
        for key in list(self._open):
            then = by_host.get(key[0], {}).get(key[1])
            if then is None or then.state not in JUDGED:
                continue
            if then.state in DEVIATING:
                self._since[key] = Since(run=run.id, at=run.started_at)
            else:
                self._open.discard(key)
        self._whole = self._whole or (is_full(run) and seq not in self._sheet)

    def before(self, *, complete: bool) -> Before:
        """What was collected. Not ``complete``: what is still open may be older than was seen."""
        since = {
            key: msgspec.structs.replace(found, or_earlier=key in self._open and not complete)
            for key, found in self._since.items()
        }
        return Before(self._hosts, since)


class Compared(msgspec.Struct, frozen=True):
    """One setting that is not as it was."""

    kind: ChangeKind
    host: str
    finding: Finding
    was: Seen

    @property
    def demand(self) -> bool:
        """Whether the baseline asks for something else than it did."""
        return self.was.control_sha256 != self.finding.control_sha256


def compare(finding: Finding, was: Seen) -> ChangeKind | None:
    """What became of a setting; None for nothing."""
    before, now = was.state, finding.state
    if before not in JUDGED or now not in JUDGED:
        if before in JUDGED:
            return ChangeKind.LOST
        return ChangeKind.BACK if now in JUDGED else None
    if (before in DEVIATING) != (now in DEVIATING):
        return ChangeKind.NEW if now in DEVIATING else ChangeKind.RESOLVED
    if was.observed == canonical(finding.observed):
        return None
    return ChangeKind.OTHER if now in DEVIATING else ChangeKind.VALUE


def host_lines(
    findings: Sequence[tuple[int, Finding]], before: Before, assets: Mapping[str, Asset]
) -> tuple[tuple[SettingsHost, ...], list[Compared]]:
    """Hosts with their figures, and every single change. ``findings`` come with their lines."""
    by_host: dict[str, list[tuple[int, Finding]]] = defaultdict(list)
    for line, finding in findings:
        by_host[finding.subject.host].append((line, finding))
    changed: list[Compared] = []
    hosts = []
    for host, items in by_host.items():
        found = before.hosts.get(host)
        kinds: Counter[str] = Counter()
        unchanged = skipped = 0
        for _, finding in items:
            was = found.settings.get(finding.control) if found else None
            if was is None:
                skipped += 1
                continue
            kind = compare(finding, was)
            if kind is None:
                unchanged += 1
            else:
                kinds[kind.value] += 1
                changed.append(Compared(kind, host, finding, was))
        lines = [line for line, _ in items]
        states = Counter(finding.state.value for _, finding in items)
        hosts.append(
            SettingsHost(
                host=host,
                asset=assets.get(host, Asset()),
                run=items[0][1].run,
                first_line=min(lines),
                last_line=max(lines),
                states=dict(sorted(states.items())),
                compared_with=found.run if found else "",
                compared_at=found.started_at if found else "",
                unchanged=unchanged,
                not_compared=skipped,
                changes=dict(sorted(kinds.items())),
            )
        )
    return tuple(sorted(hosts, key=lambda item: (item.asset.code, item.host))), changed


def grouped(
    changes: Iterable[Compared], made: frozenset[tuple[str, str]]
) -> list[tuple[list[Compared], bool]]:
    """Changes that differ only in their host, those that matter most first.

    ``made`` are host and control of what runs of the sheet changed themselves; the flag says so.
    """
    groups: dict[tuple[int, str, bool, bool, bytes, bytes], list[Compared]] = defaultdict(list)
    order = list(ChangeKind)
    for change in changes:
        finding = change.finding
        by_run = (change.host, finding.control) in made
        was, now = change.was.observed, canonical(finding.observed)
        if change.kind in (ChangeKind.LOST, ChangeKind.BACK):
            # What counts is that nobody could say; why is in the finding.
            was = now = b""
        key = (order.index(change.kind), finding.control, by_run, change.demand, was, now)
        groups[key].append(change)
    ranked = sorted(groups, key=lambda k: (k[0], -len(groups[k]), k[1:]))
    return [(sorted(groups[key], key=lambda change: change.host), key[2]) for key in ranked]
