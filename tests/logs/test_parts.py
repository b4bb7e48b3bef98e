"""Parts, processes and machines change nothing: the same report, byte for byte."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.logs.samples import RULES, record

from opsproof import workers
from opsproof.evidence.canonical import canonical
from opsproof.logs import aside as put_aside
from opsproof.logs import audit as audit_module
from opsproof.logs import counts, distinct, store
from opsproof.logs.audit import Limits, Options, audit
from opsproof.logs.parts import Examiner, Part, Unit
from opsproof.logs.readers import dictionary, evtx_load, lines, w3c
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import compile_texts
from winlab.host.events import named
from winlab.host.evtx_writer import evtx_bytes

WHOLE = Options(processes=1, part_bytes=1 << 40, limits=Limits(hits_per_rule=50, members=5))
PARTS = replace(WHOLE, part_bytes=1 << 16)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return compile_texts([("rules.yml", RULES.encode())])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of several parts each, with gaps, damage, changes of field lists and bursts across cuts."""
    made = tmp_path_factory.mktemp("logs")
    source = random.Random(7)  # noqa: S311 - test data, no secret
    numbers = sorted(source.sample(range(1, 3000), 1500))
    records = [record(number, number * 7 + source.choice([0, -200, 3])) for number in numbers]
    content = bytearray(evtx_bytes(records))
    content[4096 + 3 * 65536 + 600] ^= 0xFF
    (made / "a.evtx").write_bytes(content)
    lines = []
    moment = datetime(2026, 1, 5, 10, tzinfo=UTC)
    for number in range(4000):
        moment += timedelta(seconds=source.choice([0, 1, 5]))
        if number % 701 == 0:
            lines += [
                "#Date: 2026-01-05 00:00:00",
                "#Fields: date time c-ip cs-uri-query sc-status",
            ]
        if number % 977 == 500:
            lines.append("#Fields: date time cs-uri-query c-ip sc-status")
        query = "id=1'+union+select+1" if number % 60 == 0 else "-"
        lines.append(f"{moment:%Y-%m-%d %H:%M:%S} 10.0.0.{number % 9} {query} 200")
        if number % 333 == 0:
            lines.append("short line")
    (made / "u_ex260105.log").write_text("\n".join(lines) + "\n")
    return made


def test_parts_give_the_same_report_as_the_whole(folder: Path, rules: RuleSet) -> None:
    whole = audit([folder], rules, options=WHOLE)
    assert whole.counts.hits > 100
    assert {gap.kind for gap in whole.gaps} == {"record-id-hole", "time-backwards"}
    for part_bytes in (4_000, 1 << 16, 1 << 18):
        options = replace(WHOLE, part_bytes=part_bytes)
        assert canonical(audit([folder], rules, options=options)) == canonical(whole)


SPELLINGS = """\
title: Failed request
id: 00000000-0000-0000-0000-000000000011
name: failed_request
logsource: {category: webserver}
detection: {s: {sc-status: 401}, condition: s}
---
title: Guessing
id: 00000000-0000-0000-0000-000000000012
correlation:
  type: event_count
  generate: true
  rules: [failed_request]
  group-by: [cs-username]
  timespan: 1m
  condition: {gte: 3}
"""


def said(part: Part) -> tuple[object, ...]:
    return part.tally, part.traffic.result(), part.collector.result()


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[Unit]:
    """Every part is examined by who has seen those before it and by who has not: they say the same."""
    examine, parts = Examiner.examine, []

    def twice(own: Examiner, unit: Unit) -> Part:
        parts.append(unit)
        assert said(examine(own, unit)) == said(examine(Examiner(own._rules, own._options), unit))
        return examine(own, unit)

    monkeypatch.setattr(Examiner, "examine", twice)
    return parts


@pytest.mark.parametrize("full", [500, 1 << 22])
def test_what_was_read_before_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: list[Unit], full: int
) -> None:
    source = random.Random(3)  # noqa: S311 - test data, no secret
    for number in range(3):
        rows = ["#Fields: date time s-sitename s-computername cs-username cs-uri-stem sc-status"]
        for second in range(400):
            user = "".join(source.choice([c, c.upper()]) for c in source.choice(["anna", "eve"]))
            site = f"W3SVC{number} WEB{number}"
            path, status = source.randrange(30), source.choice([200, 404, 401 if number else 200])
            clock = f"10:{second // 60:02d}:{second % 60:02d}"
            rows.append(f"2026-01-05 {clock} {site} {user} /{path} {status}")
        (tmp_path / f"{number}.log").write_text("\n".join(rows) + "\n")
    monkeypatch.setattr(counts, "_FULL", full)
    monkeypatch.setattr(w3c, "_FEW", 1)
    monkeypatch.setattr(lines, "BLOCK", 1_000)
    monkeypatch.setattr(dictionary, "MOST_VALUES", 12)
    asked = compile_texts([("rules.yml", SPELLINGS.encode())])
    report = audit([tmp_path], asked, options=replace(WHOLE, part_bytes=5_000))
    assert len(parts) == 12
    assert {hit.title for hit in report.hits} == {"Failed request", "Guessing"}
    assert [one.channels for one in report.sources] == [(f"W3SVC{one}",) for one in range(3)]


@pytest.fixture
def aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What correlations need is put aside, a little at a time."""
    monkeypatch.setattr(store, "_FULL", 1)
    monkeypatch.setattr(store, "_PIECE", 100)
    monkeypatch.setattr(put_aside, "STEP", 5)
    monkeypatch.setattr(put_aside, "_KEPT", 1)
    monkeypatch.setattr(put_aside, "_RUN", 3000)
    monkeypatch.setattr(distinct, "_MOST", 4)


def test_what_is_put_aside_gives_the_same_report(
    folder: Path, rules: RuleSet, request: pytest.FixtureRequest
) -> None:
    whole = canonical(audit([folder], rules, options=WHOLE))
    request.getfixturevalue("aside")
    assert canonical(audit([folder], rules, options=replace(WHOLE, part_bytes=1 << 18))) == whole
    request.getfixturevalue("copies_alone")
    options = replace(WHOLE, part_bytes=1 << 18, processes=2)
    assert canonical(audit([folder], rules, options=options)) == whole


@pytest.fixture
def copies_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes that are copies of this one, with all that was changed here."""
    monkeypatch.setattr(audit_module, "SIDE_BY_SIDE", 0)
    monkeypatch.setattr(workers, "_may_fork", lambda: True)


@pytest.mark.parametrize("own", [20_000, 1 << 24])
def test_events_read_before_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: list[Unit], own: int
) -> None:
    monkeypatch.setattr(evtx_load, "BATCH_OWN", own)
    names = ["anna", "ANNA", "eve", "Eve", "EVE"]
    starts = [
        record(number, number, event_id=4688, data=named(NewProcessName=f"C:\\{number % 3}.exe"))
        for number in range(1, 1001)
    ]
    logons = [
        record(number, number, data=named(TargetUserName=names[number * number % 5]))
        for number in range(1001, 2601)
    ]
    events = [replace(one, process_id=4, thread_id=8) for one in (*starts, *logons, *starts[:9])]
    (tmp_path / "a.evtx").write_bytes(evtx_bytes(events))
    rule = """\
title: Started
id: 00000000-0000-0000-0000-000000000021
logsource: {product: windows, service: security}
detection: {s: {NewProcessName|endswith: 1.exe}, condition: s}
"""
    texts = [("rules.yml", RULES.encode()), ("started.yml", rule.encode())]
    report = audit([tmp_path], compile_texts(texts), options=PARTS)
    assert len(parts) > 3
    assert {hit.title for hit in report.hits} == {"Failed", "Burst", "Started"}


@pytest.fixture(params=[True, False], ids=["copies", "fresh interpreters"])
def copies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Worker processes even for small logs, of either kind."""
    copied: bool = request.param
    monkeypatch.setattr(audit_module, "SIDE_BY_SIDE", 0)
    monkeypatch.setattr(workers, "_may_fork", lambda: copied)
    return copied


@pytest.mark.usefixtures("copies")
def test_processes_give_the_same_report(folder: Path, rules: RuleSet) -> None:
    options = replace(PARTS, processes=2)
    assert canonical(audit([folder], rules, options=options)) == canonical(
        audit([folder], rules, options=PARTS)
    )


def test_part_of_a_dead_worker_is_examined_again(
    folder: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch, copies: bool
) -> None:
    if copies:
        monkeypatch.setattr(workers, "_serve", lambda *_: None)
    else:
        monkeypatch.setattr(workers, "_COMMAND", ("false",))
    options = replace(PARTS, processes=2)
    assert canonical(audit([folder], rules, options=options)) == canonical(
        audit([folder], rules, options=PARTS)
    )
