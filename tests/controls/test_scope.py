"""findings = controls in scope x subjects in scope, always."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests.evidence import samples
from tests.evidence.samples import CONTROLS, NOW, observation, run_record, subject

from opsproof.controls import Known, KnownSubject, evaluate_run, parse_controls
from opsproof.evidence.model import (
    Finding,
    Observation,
    Outcome,
    Run,
    RunHost,
    State,
    Subject,
    SubjectKind,
)

BOTH = parse_controls({"sample.yml": CONTROLS})
SITE = [control for control in BOTH if control.subject is SubjectKind.SITE]


def known(*entries: tuple[str, str, str]) -> Known:
    return Known(
        subjects=tuple(
            KnownSubject(
                activity="sample", subject=subject(SubjectKind.SITE, name, host), source=source
            )
            for host, name, source in entries
        )
    )


def run(**hosts: RunHost) -> Run:
    return run_record("run", hosts=hosts)


def site_findings(
    host: RunHost, seen: list[Observation], remembered: Known
) -> list[tuple[str, str]]:
    findings = evaluate_run(run(a=host), SITE, seen, remembered, [], NOW)
    return [(finding.subject.key, finding.state.value) for finding in findings]


def about_host() -> Observation:
    return observation("run", subject(SubjectKind.HOST, "a", "a"), {"disks": []})


def about_site(name: str) -> Observation:
    return observation("run", subject(SubjectKind.SITE, name, "a"), {"state": "Started"})


OK = samples.host(Outcome.OK)
GONE = samples.host(Outcome.UNREACHABLE, "refused")
FAILED = samples.host(Outcome.FAILED)


def test_subjects_that_were_seen_are_judged() -> None:
    seen = [about_host(), about_site("x")]
    assert site_findings(OK, seen, Known()) == [("a/site/x", "pass")]


def test_a_declared_site_that_is_not_there_is_not_collected() -> None:
    seen = [about_host(), about_site("x")]
    register = known(("a", "portal", "register"), ("b", "other", "register"))
    assert site_findings(OK, seen, register) == [
        ("a/site/portal", "not-collected"),
        ("a/site/x", "pass"),
    ]


def test_an_unreachable_host_shows_what_the_register_declares() -> None:
    remembered = known(("a", "portal", "register"), ("a", "old", "run-1"))
    assert site_findings(GONE, [], remembered) == [("a/site/portal", "not-collected")]


def test_without_a_register_its_last_run_tells() -> None:
    assert site_findings(GONE, [], known(("a", "old", "run-1"))) == [
        ("a/site/old", "not-collected")
    ]


def test_without_both_the_host_stands_in() -> None:
    assert site_findings(GONE, [], Known()) == [("a/host/a", "not-collected")]


def test_a_host_that_failed_half_way_loses_nothing() -> None:
    seen = [about_host(), about_site("x")]
    assert site_findings(FAILED, seen, known(("a", "old", "run-1"))) == [
        ("a/site/old", "not-collected"),
        ("a/site/x", "pass"),
    ]


def test_a_whole_host_does_not_inherit_what_is_gone() -> None:
    seen = [about_host(), about_site("x")]
    assert site_findings(OK, seen, known(("a", "old", "run-1"))) == [("a/site/x", "pass")]


def test_a_host_that_says_ok_without_evidence_is_not_collected() -> None:
    findings = evaluate_run(run(a=OK), BOTH, [], Known(), [], NOW)
    assert {finding.state for finding in findings} == {State.NOT_COLLECTED}
    assert len(findings) == 2


def test_hosts_outside_the_limit_get_no_findings() -> None:
    outside = RunHost(outcome=Outcome.SKIPPED, planned=False, seen=False)
    assert evaluate_run(run(a=outside), BOTH, [], Known(), [], NOW) == []


def test_the_newest_observation_of_a_subject_counts() -> None:
    old = about_site("x")
    new = Observation(
        **{
            **{name: getattr(old, name) for name in old.__struct_fields__},
            "facts": {"state": "Stopped"},
            "collected_at": "2026-11-22T10:00:00Z",
        }
    )
    assert site_findings(OK, [new, old, about_host()], Known()) == [("a/site/x", "fail")]


def test_a_not_collected_finding_says_why() -> None:
    (finding,) = evaluate_run(run(a=GONE), SITE, [], Known(), [], NOW)
    assert finding.observed == {"outcome": "unreachable", "reason": "refused"}
    assert finding.evidence == ()


SCHEDULE = parse_controls(
    {
        "schedule.yml": CONTROLS.replace(b"activity: sample", b"activity: schedule")
        .replace(b"subject: site", b"subject: due-item")
        .replace(b"{path: state, equals: Started}", b"{path: done, equals: true}")
    }
)


def test_what_was_due_and_not_done_is_a_finding_of_the_run() -> None:
    missed = Observation(
        id="OBS-1",
        run="run",
        activity="schedule",
        subject=Subject(kind=SubjectKind.DUE_ITEM, id="daily@2026-11-21", host=""),
        collected_at="2026-11-22T09:15:00Z",
        clock_offset_ms=None,
        collector="schedule 1",
        facts={"done": False},
    )
    controls = [c for c in SCHEDULE if c.subject is SubjectKind.DUE_ITEM]
    (finding,) = evaluate_run(run(a=GONE), controls, [missed], Known(), [], NOW)
    assert (finding.subject.key, finding.state) == ("/due-item/daily@2026-11-21", State.FAIL)


HOSTS = ("a", "b", "c")
SITES = ("x", "y")
FACTS: list[dict[str, object]] = [{}, {"disks": []}, {"disks": [{"free_percent": 3}]}]
KNOWN = st.lists(
    st.tuples(st.sampled_from(HOSTS), st.sampled_from(SITES), st.sampled_from(["register", "r1"])),
    max_size=5,
)


@given(data=st.data(), entries=KNOWN)
def test_every_control_meets_every_subject_exactly_once(
    data: st.DataObject, entries: list[tuple[str, str, str]]
) -> None:
    hosts: dict[str, RunHost] = {}
    seen: list[Observation] = []
    for name in HOSTS:
        outcome = data.draw(st.sampled_from(list(Outcome)))
        planned = data.draw(st.booleans())
        activities = ("sample",) if planned else ()
        hosts[name] = RunHost(outcome=outcome, planned=planned, seen=True, activities=activities)
        if planned and data.draw(st.booleans()):
            facts = data.draw(st.sampled_from(FACTS))
            seen.append(observation("run", subject(SubjectKind.HOST, name, name), facts))
        if planned:
            seen += [
                observation("run", subject(SubjectKind.SITE, site, name), {"state": "Stopped"})
                for site in data.draw(st.sets(st.sampled_from(SITES)))
            ]
    findings = evaluate_run(run(**hosts), BOTH, seen, known(*entries), [], NOW)
    pairs = Counter((finding.control, finding.subject) for finding in findings)
    assert set(pairs.values()) <= {1}
    check_hosts(hosts, findings, seen)
    assert findings == evaluate_run(run(**hosts), BOTH[::-1], seen[::-1], known(*entries), [], NOW)


def check_hosts(
    hosts: dict[str, RunHost], findings: list[Finding], seen: list[Observation]
) -> None:
    for name, entry in hosts.items():
        by_control = Counter(f.control for f in findings if f.subject.host == name)
        if not entry.planned:
            assert not by_control
            continue
        assert by_control["SMP-DISK-001"] == 1
        sites = {o.subject for o in seen if o.subject.host == name and o.subject.kind == "site"}
        judged = {
            f.subject for f in findings if f.control == "SMP-SITE-001" and f.subject.host == name
        }
        assert sites <= judged
        if entry.outcome not in (Outcome.OK, Outcome.CHANGED):
            assert judged, "a host that failed has vanished"
