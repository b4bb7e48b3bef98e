"""Which hits are shown where there are too many: those that say most, whoever sent the others first."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from opsproof.evidence.canonical import canonical
from opsproof.evidence.model import Severity
from opsproof.logs.audit import Limits, Options, audit
from opsproof.logs.model import AuditReport, Hit
from opsproof.logs.readers.base import KIND
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.shown import Shown
from opsproof.logs.table import Table, TableBuilder

RULE = b"""\
title: Config
id: 00000000-0000-0000-0000-000000000031
logsource: {category: webserver}
detection: {s: {c-uri|contains: config}, condition: s}
"""
HEAD = "#Fields: date time cs-uri-stem cs-uri-query sc-status\n"
AT = "2026-01-05 10:00:00"


def audited(file: Path, most: int, part_bytes: int = 1 << 25) -> AuditReport:
    options = Options(limits=Limits(hits_per_rule=most), processes=1, part_bytes=part_bytes)
    return audit([file], compile_texts([("r.yml", RULE)]), options=options)


def asked(report: AuditReport) -> set[tuple[str, str]]:
    return {(hit.fields["cs-uri-stem"], hit.fields["sc-status"]) for hit in report.hits}


def test_refused_requests_do_not_hide_the_one_that_was_answered(tmp_path: Path) -> None:
    file = tmp_path / "u_ex260105.log"
    many = "".join(f"{AT} /x{number}/web.config - 404\n" for number in range(300))
    file.write_text(HEAD + many + f"{AT} /a.aspx f=web.config 200\n")
    report = audited(file, 10)
    (ran,) = report.rules_run
    assert (ran.hits, ran.shown, len(report.hits)) == (301, 10, 10)
    assert ("/a.aspx", "200") in asked(report)


def test_requests_for_one_page_do_not_hide_that_for_another(tmp_path: Path) -> None:
    file = tmp_path / "u_ex260105.log"
    many = f"{AT} /a.aspx f=web.config 200\n" * 300
    file.write_text(HEAD + many + f"{AT} /b.aspx f=web.config 200\n" + many)
    report = audited(file, 10)
    assert asked(report) == {("/a.aspx", "200"), ("/b.aspx", "200")}
    assert len(report.hits) == 10


def test_parts_show_the_same(tmp_path: Path) -> None:
    file = tmp_path / "u_ex260105.log"
    lines = [
        f"{AT} /{number * 7 % 23}/web.config - {200 + number % 3}\n"
        for number in range(400)
    ]  # fmt: skip
    file.write_text(HEAD + "".join(lines))
    whole = audited(file, 30)
    assert len(whole.hits) == 30
    assert canonical(audited(file, 30, part_bytes=2000)) == canonical(whole)


def hit(number: int) -> Hit:
    return Hit(
        id="",
        rule="",
        title="",
        severity=Severity.LOW,
        file="",
        sha256="",
        record_id=number,
        channel="",
        time=None,
        computer="",
        fields={},
    )


def table(pairs: list[tuple[str, str]]) -> Table:
    builder = TableBuilder(0, None)
    for number, (sort, kind) in enumerate(pairs):
        fields = {KIND: "web", "sc-status": sort, "cs-uri-stem": kind}
        builder.add(0, number, {name: value for name, value in fields.items() if value})
    return builder.build(lambda _: {})


def slow(pairs: list[tuple[str, str]], most: int) -> list[int]:
    """The same said plainly: of a sort the first of every kind, then the second; the sorts by turns."""
    chosen = []
    for sort in {sort for sort, _ in pairs}:
        mine = [at for at, pair in enumerate(pairs) if pair[0] == sort]
        ranked = sorted((pairs[:at].count(pairs[at]), at) for at in mine)
        chosen += [(turn, sort, at) for turn, (_, at) in enumerate(ranked)]
    return sorted(at for *_, at in sorted(chosen)[:most])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from(["", "200", "404"]), st.sampled_from("abcde")), max_size=9
        ),
        max_size=5,
    ),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.integers(1, 6),
)
def test_batches_and_parts_choose_as_the_plain_way_does(
    batches: list[list[tuple[str, str]]], new: list[bool], most: int
) -> None:
    parts, offset = [Shown(most)], 0
    for pairs, begins in zip(batches, new, strict=False):
        if begins:
            parts.append(Shown(most))
        batch = table(pairs)
        rows = batch.record_ids.astype("int32")
        for row, place in parts[-1].choose(batch, rows):
            parts[-1].keep(place, hit(offset + row))
        offset += len(pairs)
    whole = Shown(most)
    for part in parts:
        whole.merge(part)
    found = [one.record_id for one in whole.hits()]
    assert found == slow([pair for pairs in batches for pair in pairs], most)
    assert len(whole) == len(found)
