"""Facts of the activity ``log_audit``: what detection rules found in the logs that came home.

A section that is None was not collected: check mode brings no logs home, and where no record was
examined nothing is known of hits.
"""

from __future__ import annotations

from opsproof.evidence.model import Record
from opsproof.logs.model import BlindSpot, Gap, Hit, RuleNotRun, Suppressed, Unreadable


class BySeverity(Record, frozen=True, kw_only=True):
    """Hits counted by the severity of their rules."""

    critical: int
    high: int
    medium: int
    low: int
    info: int


class RuleHits(Record, frozen=True, kw_only=True):
    """How often one rule hit in this host's logs."""

    rule: str
    title: str
    title_zh: str
    hits: int


class HitRules(Record, frozen=True, kw_only=True):
    """The rules that hit, by their severity, those with the most hits first."""

    critical: tuple[RuleHits, ...]
    high: tuple[RuleHits, ...]
    medium: tuple[RuleHits, ...]
    low: tuple[RuleHits, ...]
    info: tuple[RuleHits, ...]


class Audited(Record, frozen=True, kw_only=True):
    """How complete the audit of this host's logs was. ``report_sha256`` names the whole report.

    Of the ``records`` that were read, ``examined`` are within the time asked for. ``hosts`` were
    audited together, so that correlations reach across them. ``site_days`` were judged: days of its web
    sites that have ended since the last collection, with a log or without; on ``site_rests`` of them nobody
    came as on this weekday for weeks. ``faulty_rules`` could not be
    evaluated for a fault of their own; ``rules_without_logs`` counts those for which no host sent the
    logs or fields that they need. ``unattributed`` hits are beyond those that the report shows, of any host.
    """

    hosts: int
    files: int
    bytes: int
    records: int
    examined: int
    site_days: int = 0
    site_rests: int = 0
    unreadable_records: int
    rules_run: int
    faulty_rules: tuple[RuleNotRun, ...]
    rules_without_logs: int
    rules_sha256: str
    report_sha256: str
    unattributed: int


class Suppressions(Record, frozen=True, kw_only=True):
    """Hits that a person accepted, of all hosts together, and acceptances that have expired."""

    hits: int
    expired: tuple[Suppressed, ...]


class HostFacts(Record, frozen=True, kw_only=True):
    """One host. ``hits`` are the first of those counted in ``by_severity``, worst first.

    ``blind``: the first places where its logs lack what a rule looks at, so that no hit of that rule is no
    all-clear there.
    """

    since: str | None
    audit: Audited | None
    by_severity: BySeverity | None
    rules: HitRules | None
    hits: tuple[Hit, ...] | None
    unreadable: tuple[Unreadable, ...] | None
    gaps: tuple[Gap, ...] | None
    blind: tuple[BlindSpot, ...] | None = None
    suppressions: Suppressions | None
