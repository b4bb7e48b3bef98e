"""What the page prints of a sheet, and where it stops.

An estate has 2,200 hosts and a bad day makes tens of thousands of findings; nobody reads those on
paper. Limits are per page; beyond them the page counts, and names the file that has everything.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property

import msgspec

from opsproof.evidence.model import Artifact, State
from opsproof.reports.labels import Labels
from opsproof.reports.model import (
    Asset,
    Bilingual,
    ControlRecord,
    DailySheet,
    FindingRecord,
    Group,
    GroupBlock,
    HostLine,
    HostOutcome,
    ObservationRecord,
    PatchHost,
    Row,
    WaiverRecord,
)
from opsproof.reports.settings_model import Change, ChangeKind, SettingsHost

ROWS_PER_GROUP = 120
LINES_PER_GROUP = 60
DETAILED = 300
OBSERVATIONS = 200
HOSTS = 300
NORMAL_ITEMS = 3000
SETTING_ROWS = 40
SETTING_HOSTS = 60
SETTING_CHANGES = 60
PATCH_LINES = 240
_BRIEF = 4


class Rest(msgspec.Struct, frozen=True):
    """Rows of a group that are only counted: how many of one title and state."""

    title: Bilingual
    state: State
    count: int


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One group of section 2 as printed."""

    group: Group
    silent: int
    tally: str
    rows: tuple[Row, ...]
    rest: tuple[Rest, ...]
    rest_total: int
    lines: tuple[HostLine, ...]
    lines_total: int
    lines_hidden: int
    normal: int
    not_applicable: int
    normal_hidden: int


class HostFindings(msgspec.Struct, frozen=True, kw_only=True):
    """The findings of one host that stand in a list: by state, how many, and those printed."""

    host: str
    asset: Asset
    anchor: str
    counts: dict[State, int]
    states: tuple[tuple[State, tuple[FindingRecord, ...]], ...]
    observations: tuple[tuple[str, int], ...]


class PrintedSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The part on hardening settings as printed, with the figures of the whole estate.

    ``compared`` counts hosts with an earlier run, ``unchanged`` and ``not_compared`` their settings;
    ``mended`` says how many deviations the runs resolved themselves on a host.
    """

    hosts: tuple[SettingsHost, ...]
    hosts_hidden: int
    changes: tuple[Change, ...]
    changes_hidden: int
    mended: tuple[tuple[str, int], ...]
    states: dict[str, int]
    kinds: dict[str, int]
    compared: int
    unchanged: int
    not_compared: int


def finding_anchor(name: str) -> str:
    """The element id of a finding; its own id is already one."""
    return name


class View:
    """The printed part of one sheet, in one language."""

    def __init__(self, sheet: DailySheet, label: Labels) -> None:
        """Nothing is computed before it is asked for."""
        self.sheet = sheet
        self.label = label
        self._controls = {record.id: record for record in sheet.controls}
        self._rows = [row for block in sheet.groups for row in block.rows]
        self._assets: dict[str, Asset] = {}
        for block in sheet.groups:
            self._assets |= {line.host: line.asset for line in block.lines}
            self._assets |= {row.host: row.asset for row in block.rows}

    def control(self, finding: FindingRecord) -> ControlRecord:
        """The control of a finding; a nameless one when its bundle does not hold it."""
        known = self._controls.get(finding.control)
        return known or ControlRecord(
            id=finding.control,
            sha256="",
            activity="",
            subject="",
            severity="info",
            title={},
            remedy={},
            demands=(),
            clauses=(),
        )

    def waiver(self, finding: FindingRecord) -> WaiverRecord | None:
        """The decision that let a finding pass."""
        return next((w for w in self.sheet.waivers if w.id == finding.waiver), None)

    def title(self, finding: FindingRecord) -> str:
        """What a finding is about, in this language."""
        return self.label.pick(self.control(finding).title) or finding.control

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Section 2."""
        return tuple(self._block(block) for block in self.sheet.groups)

    def _block(self, block: GroupBlock) -> Block:
        settings = block.group is Group.HARDENING
        most = SETTING_ROWS if settings else ROWS_PER_GROUP
        hidden = block.rows[most:]
        # A row is a setting already: to list what is left by setting would print it all.
        rest = Counter((row.control, row.state) for row in hidden if not settings)
        titles = {row.control: row.title for row in hidden}
        lines = [line for line in block.lines if line.normal]
        return Block(
            group=block.group,
            silent=block.silent,
            tally=self._tally(block),
            rows=block.rows[:most],
            rest=tuple(
                Rest(titles[control], state, count)
                for (control, state), count in sorted(rest.items())
            ),
            rest_total=len(hidden),
            lines=tuple(lines[:LINES_PER_GROUP]),
            lines_total=len(block.lines),
            lines_hidden=max(0, len(lines) - LINES_PER_GROUP),
            normal=sum(len(line.normal) for line in block.lines),
            not_applicable=sum(len(line.not_applicable) for line in block.lines),
            normal_hidden=sum(len(line.normal) for line in lines[LINES_PER_GROUP:]),
        )

    def _tally(self, block: GroupBlock) -> str:
        counts = Counter[State]()
        for row in block.rows:
            counts[row.state] += len(row.findings)
        return " · ".join(
            f"{self.label(f'state.{state}')} {counts[state]}" for state in State if counts[state]
        )

    @cached_property
    def patched(self) -> tuple[PatchHost, ...]:
        """Hosts of the patch block, the bad first, as far as their updates fit."""
        printed, chosen = 0, []
        for host in self.sheet.patches.hosts:
            printed += max(1, len(host.updates))
            if printed > PATCH_LINES:
                break
            chosen.append(host)
        return tuple(chosen)

    @property
    def exceptions(self) -> list[Row]:
        """Section 3: the rows of section 2, as far as they are printed there."""
        return [row for block in self.blocks for row in block.rows]

    @property
    def brief(self) -> bool:
        """Whether so little is wrong that paper sets it tighter, a quiet day on one page."""
        return len(self._rows) <= _BRIEF

    @property
    def exceptions_hidden(self) -> int:
        """Rows that section 3 leaves out."""
        return len(self._rows) - len(self.exceptions)

    @cached_property
    def detailed(self) -> list[FindingRecord]:
        """Findings that have a block of their own in the annex, in the order of section 2."""
        order = {name: row.number for row in self._rows for name in row.findings}
        chosen = [
            record
            for record in self.sheet.findings
            if record.state in (State.FAIL, State.ERROR, State.WAIVED)
            and record.id not in self._shared
        ]
        return sorted(chosen, key=lambda record: order.get(record.id, 0))[:DETAILED]

    @cached_property
    def _shared(self) -> set[str]:
        """Findings of settings that deviate on several hosts: listed by host, without a block each."""
        return {name for row in self._rows if row.hosts for name in row.findings}

    @cached_property
    def deviating_hosts(self) -> list[HostFindings]:
        """Settings that deviate on several hosts, by host."""
        return self._by_host([r for r in self.sheet.findings if r.id in self._shared])[:HOSTS]

    @cached_property
    def _anchored(self) -> set[str]:
        lists = [*self.missing_hosts, *self.deviating_hosts, *self.normal_hosts]
        listed = {item.id for host in lists for _, items in host.states for item in items}
        return listed | {record.id for record in self.detailed}

    def anchored(self, name: str) -> bool:
        """Whether the page has a place for a finding."""
        return name in self._anchored

    @cached_property
    def settings(self) -> PrintedSettings | None:
        """The part on hardening settings, as far as it is printed."""
        part = self.sheet.settings
        if part is None:
            return None
        hosts = sorted(
            part.hosts,
            key=lambda host: (
                -sum(host.changes.values()),
                -host.states.get(State.FAIL, 0),
                host.asset.code,
                host.host,
            ),
        )
        states: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        for host in part.hosts:
            states.update(host.states)
            kinds.update(host.changes)
        # What a run set right itself was planned: it is counted by host and not told one by one.
        own = [c for c in part.changes if c.by_run and c.kind is ChangeKind.RESOLVED]
        told = [change for change in part.changes if change not in own]
        mended = Counter(host for change in own for host in change.hosts)
        return PrintedSettings(
            hosts=tuple(hosts[:SETTING_HOSTS]),
            hosts_hidden=max(0, len(hosts) - SETTING_HOSTS),
            changes=tuple(told[:SETTING_CHANGES]),
            changes_hidden=sum(len(one.hosts) for one in told[SETTING_CHANGES:]),
            mended=tuple(sorted(mended.items(), key=lambda pair: (-pair[1], pair[0]))),
            states=dict(states),
            kinds=dict(kinds),
            compared=sum(bool(host.compared_with) for host in part.hosts),
            unchanged=sum(host.unchanged for host in part.hosts),
            not_compared=sum(host.not_compared for host in part.hosts if host.compared_with),
        )

    @cached_property
    def _missing(self) -> list[FindingRecord]:
        return [r for r in self.sheet.findings if r.state is State.NOT_COLLECTED]

    @property
    def findings_hidden(self) -> int:
        """Findings that are not normal and stand nowhere in the annex."""
        states = (State.FAIL, State.ERROR, State.WAIVED)
        total = sum(record.state in states for record in self.sheet.findings)
        lists = [*self.missing_hosts, *self.deviating_hosts]
        listed = sum(len(items) for host in lists for _, items in host.states)
        return total - len(self.detailed) + len(self._missing) - listed

    @cached_property
    def missing_hosts(self) -> list[HostFindings]:
        """Not collected findings, by host."""
        return self._by_host(self._missing)[:HOSTS]

    @cached_property
    def normal_hosts(self) -> list[HostFindings]:
        """Normal and not applicable findings, by host; beyond the limit counts alone."""
        quiet = (State.PASS, State.NOT_APPLICABLE)
        return self._by_host([r for r in self.sheet.findings if r.state in quiet])

    @property
    def normal_capped(self) -> bool:
        """Whether the list of normal findings was cut."""
        return any(
            count > len(dict(host.states)[state])
            for host in self.normal_hosts
            for state, count in host.counts.items()
        )

    def _by_host(self, records: list[FindingRecord]) -> list[HostFindings]:
        hosts: dict[str, list[FindingRecord]] = defaultdict(list)
        for record in records:
            hosts[record.host].append(record)
        lines: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for observation in self.sheet.observations:
            lines[observation.host].append((observation.run, observation.line))
        printed = 0
        found = []
        for host in sorted(hosts, key=lambda name: (self._asset(name).code, name)):
            items = hosts[host] if printed + len(hosts[host]) <= NORMAL_ITEMS else []
            printed += len(items)
            counts = Counter(record.state for record in hosts[host])
            found.append(
                HostFindings(
                    host=host,
                    asset=self._asset(host),
                    anchor=self.host_anchor(host),
                    counts=dict(counts),
                    states=tuple(
                        (state, tuple(item for item in items if item.state is state))
                        for state in State
                        if counts[state]
                    ),
                    observations=tuple(lines[host][:12]),
                )
            )
        return found

    def _asset(self, host: str) -> Asset:
        return self._assets.get(host, Asset())

    @cached_property
    def _anchors(self) -> dict[str, str]:
        names = sorted({record.host for record in self.sheet.findings})
        return {name: str(number) for number, name in enumerate(names, 1)}

    def host_anchor(self, host: str) -> str:
        """A number for a host: its name may hold anything."""
        return self._anchors.get(host, "0")

    @cached_property
    def incomplete_hosts(self) -> tuple[HostOutcome, ...]:
        """Hosts that were planned and not finished, as far as they are printed."""
        return self.sheet.incomplete_hosts[:HOSTS]

    @cached_property
    def observations(self) -> list[ObservationRecord]:
        """The observations behind what has a block of its own, then others with events."""
        named = {name for record in self.detailed for name in record.evidence}
        first = [o for o in self.sheet.observations if o.id in named]
        others = [o for o in self.sheet.observations if o.id not in named and o.events]
        return [*first, *others[: max(0, OBSERVATIONS - len(first))]]

    @property
    def observations_hidden(self) -> int:
        """Observations that have no block."""
        return len(self.sheet.observations) - len(self.observations)

    @cached_property
    def _events(self) -> dict[str, str]:
        return {
            event.anchor: f"{event.channel or '?'} {event.record_id}"
            for observation in self.observations
            for event in observation.events
        }

    def events(self, finding: FindingRecord) -> list[tuple[str, str]]:
        """Anchor and name of the events behind a finding that the page shows."""
        return [(name, self._events[name]) for name in finding.events if name in self._events]

    def artifact_anchor(self, observation: ObservationRecord, sha256: str) -> str:
        """The element id of a raw file of an observation; empty when it is not listed there."""
        listed = {artifact.sha256 for artifact in observation.artifacts}
        return f"{observation.id}-{sha256[:16]}" if sha256 in listed else ""

    @cached_property
    def example(self) -> tuple[str, Artifact | None]:
        """A run, and a raw file of it that lies encrypted in its bundle, for the instructions."""
        for observation in self.observations:
            for artifact in observation.artifacts:
                if artifact.stored == "encrypted":
                    return observation.run, artifact
        runs = [*self.sheet.runs, *self.sheet.basis_runs]
        return (runs[-1].id if runs else "ID"), None
