"""Rules and logs that mean harm cost bounded time and stop nothing else."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from opsproof.errors import UsageError
from opsproof.logs.audit import Options, audit
from opsproof.logs.files import READERS
from opsproof.logs.model import Kind, Reason
from opsproof.logs.readers.base import MOST_DAMAGE, Log, Notes
from opsproof.logs.redact import text
from opsproof.logs.rules import load as loading
from opsproof.logs.rules import sigma
from opsproof.logs.rules.compiled import RuleSet
from opsproof.logs.rules.load import compile_texts, load

HEAD = "logsource: {category: webserver}\n"
GOOD_ID = "00000000-0000-0000-0000-0000000000aa"
GOOD = f"title: Good\nid: {GOOD_ID}\n{HEAD}detection: {{s: {{cs-method: GET}}, condition: s}}\n"


def compiled(*texts: str) -> RuleSet:
    return compile_texts([(f"{number}.yml", text.encode()) for number, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", Reason.INVALID),
        ("- a list", Reason.INVALID),
        ("title: x", Reason.INVALID),
        ("\x00", Reason.INVALID),
        ("title: !!bool 7", Reason.INVALID),
        ("title: !!timestamp x", Reason.INVALID),
        (f"title: x\n{HEAD}detection: {{s: {{a: 1}}, condition: nothere}}", Reason.INVALID),
        (f"title: x\n{HEAD}detection: {{off: {{a: 1}}, condition: off}}", Reason.INVALID),
        (f"title: x\n{HEAD}detection: {{s: {{a|nomodifier: 1}}, condition: s}}", Reason.INVALID),
        (f"title: x\n{HEAD}detection: {{s: {{a|re: '('}}, condition: s}}", Reason.INVALID),
        (f"title: x\n{HEAD}detection: {{s: {{a|re: '(?<=b)c'}}, condition: s}}", Reason.UNSUPPORTED),
        (f"title: x\n{HEAD}detection: {{s: {{a|expand: '%hosts%'}}, condition: s}}", Reason.UNSUPPORTED),
        (f"title: x\n{HEAD}detection: {{s: {{a: {{b: c}}}}, condition: s}}", Reason.INVALID),
        ("title: x\ncorrelation: {type: event_count, rules: [gone], timespan: 1m, condition: {gte: 1}}",
         Reason.REFERENCE),
        ("title: x\nname: a\ncorrelation: {type: temporal, rules: [a], timespan: 1m}", Reason.REFERENCE),
        ("title: x\ncorrelation: {type: event_count, rules: [], timespan: 1m}", Reason.INVALID),
        ("title: x\ncorrelation: 7", Reason.INVALID),
        (f"title: x\n{HEAD}detection: {{s: {{a|gt: 1.0e-7}}, condition: s}}", Reason.UNSUPPORTED),
        (f"title: x\n{HEAD}detection: {{s: {{a|lt: 1{'0' * 40}}}, condition: s}}", Reason.UNSUPPORTED),
        (f"title: x\n{HEAD}detection: {{s: {{a: 1}}, condition: s}}\nopsproof: {{demands: 5}}",
         Reason.INVALID),
        (f"title: x\n{HEAD}detection: {{s: {{a: 1}}, condition: s}}\nopsproof: {{clauses: C-2}}",
         Reason.INVALID),
        *(
            (f"title: x\ncorrelation: {{type: event_count, rules: [{rule}], {asked}}}", Reason.UNSUPPORTED)
            for rule, asked in (
                ("", "timespan: 1m, condition: {gte: 1}"),
                (GOOD_ID, "timespan: 1m, condition: {gte: 9223372036854775808}"),
                (GOOD_ID, "timespan: 1m, condition: {gte: 1, lte: 9223372036854775808}"),
                (GOOD_ID, "timespan: 999999999999d, condition: {gte: 1}"),
                (GOOD_ID, "timespan: 1m, condition: {gt: 0.5}"),
                (GOOD_ID, "timespan: 1m, condition: {gte: true}"),
            )
        ),
    ],
)  # fmt: skip
def test_faulty_rule_is_listed_and_the_others_run(
    text: str, reason: Reason, tmp_path: Path
) -> None:
    texts = [(name, one.encode()) for name, one in (("0.yml", text), ("1.yml", GOOD))]
    rules = compile_texts(texts, tmp_path)
    assert [one.reason for one in rules.rejected] == [reason]
    assert [rule.meta.title["en"] for rule in rules.rules] == ["Good"]


def test_two_rules_of_one_id_are_told() -> None:
    rules = compiled(GOOD, GOOD)
    assert len(rules.rules) == 1
    assert "another rule has its id: 0.yml" in rules.rejected[0].detail


def test_of_faulty_rules_with_one_id_none_is_lost() -> None:
    """Nor does one that is faulty hide one that is right, or a correlation another."""
    bad = [GOOD.replace("cs-method", f"cs-method|{name}") for name in ("one", "two")]
    twice = (
        "title: Burst\nid: 00000000-0000-0000-0000-0000000000bb\ncorrelation: {type: event_count, "
        f"rules: [{GOOD_ID}], timespan: 1m, condition: {{gte: 1}}}}\n"
    )
    rules = compiled(*bad, GOOD, twice, twice)
    assert [rule.meta.file for rule in rules.rules] == ["2.yml"]
    assert [one.meta.file for one in rules.correlations] == ["3.yml"]
    assert sorted(one.detail[:5] for one in rules.rejected) == ["0.yml", "1.yml", "4.yml"]
    assert len({one.rule for one in rules.rejected} - {GOOD_ID}) == 3


def test_a_name_that_several_rules_have_is_no_reference() -> None:
    named = [GOOD.replace("0aa", f"0a{n}").replace("id:", "name: get\nid:") for n in (1, 2)]
    asked = (
        "title: Burst\ncorrelation: "
        "{type: event_count, rules: [get], timespan: 1m, condition: {gte: 1}}\n"
    )
    (rejected,) = compiled(*named, asked).rejected
    assert rejected.reason is Reason.REFERENCE
    assert rejected.detail.endswith("several rules have the name it refers to: get")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n---\n"])
def test_files_without_a_rule_are_no_rules(tmp_path: Path, text: str) -> None:
    (tmp_path / "empty.yml").write_text(text)
    with pytest.raises(UsageError, match="there is no rule in these files"):
        load([tmp_path])


def test_expression_made_to_be_slow_is_not(tmp_path: Path) -> None:
    slow = f"title: Slow\n{HEAD}detection: {{s: {{cs-uri-query|re: '(a+)+$'}}, condition: s}}"
    stars = f"title: Stars\n{HEAD}detection: {{s: {{cs-uri-query: '{'*a' * 40}*b'}}, condition: s}}"
    log = tmp_path / "u_ex260105.log"
    query = "a" * 60_000 + "!"
    log.write_text(f"#Fields: date time cs-uri-query\n2026-01-05 10:00:00 {query}\n")
    report = audit([log], compiled(slow, stars), options=Options(processes=1))
    assert (report.counts.records, report.counts.hits) == (1, 0)


def test_hits_of_huge_fields_stay_small(tmp_path: Path) -> None:
    log = tmp_path / "u_ex260105.log"
    log.write_text(
        f"#Fields: date time cs-method cs-uri-query\n2026-01-05 10:00:00 GET {'x' * 500_000}\n"
    )
    (hit,) = audit([log], compiled(GOOD)).hits
    assert len(str(hit)) < 3000


def test_long_values_are_not_remembered_whole() -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            text(f"{number}{'x' * 300_000}", "cs-uri-query")
        assert tracemalloc.get_traced_memory()[0] < 3_000_000
    finally:
        tracemalloc.stop()


def test_cache_that_is_damaged_or_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "a.yml").write_text(GOOD)
    cache = tmp_path / "cache"
    first = load([rules], cache)
    (stored,) = cache.iterdir()
    assert load([rules], cache) == first
    whole = stored.read_bytes()
    for damaged in (
        b"",
        b"\xc1damaged",
        whole[:-1],
        whole.replace(b"GET", b"GOT"),
        whole.replace(b"get", b"got"),
    ):
        stored.write_bytes(damaged)
        assert load([rules], cache) == first
        assert stored.read_bytes() == whole
    assert load([rules], tmp_path / "rules" / "a.yml") == first


def test_cache_is_used_and_holds_for_one_content_and_one_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled_sets: list[str] = []
    real = sigma.compile_all

    def counting(digest: str, texts: Sequence[tuple[str, bytes]]) -> RuleSet:
        compiled_sets.append(digest)
        return real(digest, texts)

    monkeypatch.setattr(sigma, "compile_all", counting)
    rules, cache = tmp_path / "a.yml", tmp_path / "cache"
    rules.write_text(GOOD)
    first = load([rules], cache)
    assert load([rules], cache) == first
    assert len(compiled_sets) == 1
    rules.write_text(GOOD.replace("GET", "PUT"))
    assert load([rules], cache).atoms != first.atoms
    assert len(compiled_sets) == 2
    monkeypatch.setattr(loading, "version", lambda _: "another pySigma")
    loading._compiler.cache_clear()
    load([rules], cache)
    monkeypatch.undo()
    loading._compiler.cache_clear()
    assert len(compiled_sets) == 3


def test_a_file_of_nothing_but_damage_is_counted_and_bounded(tmp_path: Path) -> None:
    log = tmp_path / "u_ex260105.log"
    log.write_text("#Fields: date time cs-method\n2026-01-05 10:00:00 GET\n" + "x\n" * 5000)
    notes = Notes()
    for _ in READERS[Kind.W3C](Log(log, log.name), None, notes):
        pass
    assert (len(notes.damage), notes.more, notes.lost) == (MOST_DAMAGE, 4000, 5000)
    whole = audit([log], compiled(GOOD), options=Options(processes=1))
    assert (whole.counts.records, whole.counts.unreadable, whole.counts.hits) == (1, 5000, 1)
    assert len(whole.unreadable) == MOST_DAMAGE + 1
    assert any(one.what == "4000 more places like these" for one in whole.unreadable)
    assert audit([log], compiled(GOOD), options=Options(processes=1, part_bytes=3000)) == whole
