"""What is known of the subjects of hosts before a run: declared by the register, or seen last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from opsproof.controls.scope import COMPLETE, INPUT, Known, KnownSubject
from opsproof.evidence.canonical import canonical
from opsproof.evidence.model import Subject, SubjectKind
from opsproof.evidence.reader import Bundle, sealed_runs

REGISTER = "register"


def known_subjects(
    reports: Path,
    hosts: Iterable[str],
    activities: Iterable[str],
    register: Mapping[str, Iterable[tuple[str, SubjectKind, str]]] | None = None,
    *,
    inventory: str | None = None,
) -> Known:
    """Subjects of the hosts by the register, and by the last sealed run that saw each host.

    ``register`` maps a host to ``(activity, kind, id)`` of what the inventory declares there. The
    search goes back run by run until every host and activity was found or nothing is left; a run
    hands on what it knew itself of hosts that it could not reach.
    """
    names = sorted(set(hosts))
    declared = [
        KnownSubject(
            activity=activity,
            subject=Subject(kind=kind, id=subject, host=host),
            source=REGISTER,
        )
        for host in names
        for activity, kind, subject in sorted((register or {}).get(host, ()))
    ]
    missing = {(host, activity) for host in names for activity in activities}
    remembered: list[KnownSubject] = []
    for bundle in _while(missing, sealed_runs(reports, inventory=inventory)):
        for entry in (*_seen(bundle), *_handed_on(bundle)):
            key = (entry.subject.host, entry.activity)
            if key in missing:
                remembered.append(entry)
        missing -= {(entry.subject.host, entry.activity) for entry in remembered}
    return Known(subjects=tuple(sorted([*declared, *remembered], key=canonical)))


def _while(missing: set[tuple[str, str]], bundles: Iterator[Bundle]) -> Iterator[Bundle]:
    while missing and (bundle := next(bundles, None)):
        yield bundle


def _seen(bundle: Bundle) -> list[KnownSubject]:
    return [
        KnownSubject(activity=o.activity, subject=o.subject, source=bundle.run.id)
        for o in bundle.observations
        if _complete(bundle, o.subject.host)
    ]


def _handed_on(bundle: Bundle) -> list[KnownSubject]:
    """What the run knew of hosts that it did not see completely itself."""
    if INPUT not in bundle.inputs:
        return []
    known = Known.from_bytes(bundle.inputs[INPUT], where=f"{bundle.run.id}/{INPUT}")
    return [
        entry
        for entry in known.subjects
        if entry.source != REGISTER and not _complete(bundle, entry.subject.host)
    ]


def _complete(bundle: Bundle, host: str) -> bool:
    entry = bundle.run.hosts.get(host)
    return entry is not None and entry.outcome in COMPLETE
