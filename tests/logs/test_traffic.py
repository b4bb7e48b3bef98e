"""What web logs say apart from rules, against plain counting of the same lines."""

from __future__ import annotations

import pickle
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs.test_parts import WHOLE

from opsproof.evidence.canonical import canonical
from opsproof.logs import aside, counts, traffic
from opsproof.logs.audit import audit
from opsproof.logs.model import Count, Traffic
from opsproof.logs.rules.load import compile_texts

NO_RULES = compile_texts([])
FIELDS = "#Fields: date time cs-method cs-uri-stem c-ip sc-status sc-bytes time-taken"


def lines(count: int = 3000) -> list[list[str]]:
    source = random.Random(5)  # noqa: S311 - test data, no secret
    return [
        [
            f"2026-01-0{5 + number * 3 // count}",
            f"{source.randrange(24):02d}:00:{source.randrange(60):02d}",
            source.choice(["GET", "GET", "POST"]),
            f"/p{int(source.paretovariate(1)) % 500}.aspx",
            f"10.0.0.{source.randrange(1, 60)}",
            source.choice(["200", "200", "302", "404", "500", "503"]),
            source.choice(["-", str(source.randrange(1 << 33))]),
            str(source.choice([3, 90, 4999, 5000, 61_000])),
        ]
        for number in range(count)
    ]


def told(folder: Path, rows: list[list[str]], **options: object) -> Traffic:
    file = folder / "u_ex260105.log"
    file.write_text("\n".join([FIELDS, *(" ".join(row) for row in rows)]) + "\n")
    found = audit([file], NO_RULES, options=replace(WHOLE, **options)).traffic  # type: ignore[arg-type]
    assert found is not None
    return found


def top(names: list[str]) -> tuple[Count, ...]:
    ordered = sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Count(name=name, count=count) for name, count in ordered[: traffic.MOST])


def test_everything_is_counted_as_plain_counting_does(tmp_path: Path) -> None:
    rows = lines()
    found = told(tmp_path, rows)
    assert found.requests == len(rows)
    assert found.statuses == top([row[5] for row in rows])
    assert found.classes == top([f"{row[5][0]}xx" for row in rows])
    assert found.methods == top([row[2] for row in rows])
    assert {one.name: one.count for one in found.days} == Counter(row[0] for row in rows)
    assert found.clients == len({row[4] for row in rows})
    assert found.paths == len({row[3] for row in rows})
    assert found.top_clients == top([row[4] for row in rows])
    assert found.top_paths == top([row[3] for row in rows])
    assert found.failed_paths == top([row[3] for row in rows if row[5] >= "500"])
    assert found.missed_paths == top([row[3] for row in rows if row[5] == "404"])
    slow = [row for row in rows if int(row[7]) >= traffic.SLOW]
    assert (found.slow, found.slow_paths) == (len(slow), top([row[3] for row in slow]))
    assert found.slowest_ms == 61_000
    assert found.sent_bytes == sum(int(row[6]) for row in rows if row[6] != "-")
    assert found.received_bytes == 0


def test_parts_and_time_limits_count_the_same_requests(tmp_path: Path) -> None:
    rows = lines()
    assert canonical(told(tmp_path, rows, part_bytes=9_000)) == canonical(told(tmp_path, rows))
    day = datetime(2026, 1, 6, tzinfo=UTC)
    assert told(tmp_path, rows, since=day, until=day.replace(day=7)).requests == sum(
        row[0] == "2026-01-06" for row in rows
    )


def test_lists_are_exact_however_many_names_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = lines(600)
    whole = canonical(told(tmp_path, rows))
    monkeypatch.setattr(counts, "_FULL", 1500)
    monkeypatch.setattr(counts, "_TEXT", 64)
    assert canonical(told(tmp_path, rows)) == whole
    assert canonical(told(tmp_path, rows, part_bytes=9_000)) == whole


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.text("ab\u00e9\ud800", max_size=3), max_size=12), max_size=8))
def test_names_are_counted_as_a_counter_counts_them(parts: list[list[str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "_FULL", 700)
        patch.setattr(aside, "STEP", 3)
        patch.setattr(aside, "_KEPT", 9)
        patch.setattr(aside, "_RUN", 200)
        together = counts.Names()
        for part in parts:
            names = counts.Names()
            names.add((name, 1) for name in part)
            together.merge(pickle.loads(pickle.dumps(names)))  # noqa: S301 - our own
        expected = Counter(name for part in parts for name in part)
        ordered = sorted(expected.items(), key=lambda pair: (-pair[1], pair[0]))
        for most in (3, 50):
            assert together.result(most) == (len(expected), ordered[:most])


def test_where_no_web_log_is_read_nothing_is_said(tmp_path: Path) -> None:
    file = tmp_path / "httperr1.log"
    file.write_text("#Fields: date time c-ip s-reason\n2026-01-05 10:00:00 10.0.0.1 Timer\n")
    assert audit([file], NO_RULES).traffic is None
