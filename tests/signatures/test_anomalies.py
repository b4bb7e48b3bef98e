"""Failures at the interface: every line is counted for its record, and no silence looks like success."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.signatures import drills
from tests.signatures.conftest import NOW

from opsproof.controls.evaluate import evaluate
from opsproof.controls.load import load
from opsproof.errors import UsageError
from opsproof.evidence.model import Observation, Subject, SubjectKind
from opsproof.evidence.schemas.signatures import InterfaceFacts
from opsproof.signatures import drill_logs, simulate, sm2
from opsproof.signatures import links as links_of
from opsproof.signatures.anomalies import LONGEST_LINE, Failure, LogReader, Patterns
from opsproof.signatures.correction import Correction, Settings
from opsproof.signatures.database import Database, make_engine
from opsproof.signatures.errors import ProfileError, SourceError
from opsproof.signatures.keyform import KeyForm
from opsproof.signatures.links import Links
from opsproof.signatures.model import RecordClass, key_digest
from opsproof.signatures.simulate import Drill

SHIPPED = {one.id: one for one in load(Path(__file__).parents[2] / "controls")}
CONTROLS = [SHIPPED["SIG-VERIFY-001"], SHIPPED["SIG-SIGN-001"]]
FAILED = "- {kind: verification-failed, pattern: '^(?P<time>.{19}) FAILED (?P<key>[^ ]*)$'}\n"


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    folder = tmp_path_factory.mktemp("drill")
    made = simulate.simulate(folder, drills.lab_of("ecdsa"), records=120, seed=3)
    drills.analysed(made)
    return made


def settings(drill: Drill, **changes: Any) -> Settings:
    folder = drill.folder
    given: dict[str, Any] = {
        "profile": folder / "profile.yml",
        "database": drill.url,
        "work": folder,
        "now": NOW,
        "certificates": (folder / "signers.pem",),
        "trusted": (folder / "ca.pem",),
        "revocations": (folder / "ca.crl",),
        "logs": (folder / drill_logs.LOG,),
        "log_patterns": folder / drill_logs.PATTERNS,
        "log_encoding": drill_logs.ENCODING,
    }
    return Settings(**(given | changes))


def interface(drill: Drill, **changes: Any) -> InterfaceFacts:
    found = Correction(settings(drill, **changes)).interface()
    assert found is not None
    return found


def log_of(folder: Path, *lines: str, patterns: str = FAILED) -> dict[str, Any]:
    log, file = folder / "own.log", folder / "own.yml"
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    file.write_text(patterns, encoding="utf-8")
    return {"logs": (log,), "log_patterns": file, "log_encoding": "utf-8"}


def line(key: object, at: str = "2026-10-31 09:00:00") -> str:
    return f"{at} FAILED {key}"


def key_of(drill: Drill, record_class: RecordClass) -> int:
    return next(one.key for one in drill.truth if one.record_class is record_class)


def test_the_drills_log_leads_to_its_truth(drill: Drill) -> None:
    found = interface(drill)
    wrong = {one.key for one in drill.truth} - {
        one.key
        for one in drill.truth
        if one.record_class in (RecordClass.VALID, RecordClass.BASE_DIFFERS)
    }
    shown = [one for one in found.links if one.kind == "verification-failed"]
    assert {one.record for one in shown} == {key_digest((key,)) for key in wrong}
    assert found.verification.wrong == len(wrong)
    assert found.verification.right == found.verification.records - len(wrong) > 0
    missing = Counter(one.record_class for one in drill.truth)[RecordClass.MISSING]
    assert (found.signing.wrong, found.signing.records) == (missing, missing)
    assert (found.verification.settled, found.signing.settled) == (False, False)
    assert found.unreadable == 0
    classes = {one.key: one.record_class.value for one in drill.truth}
    digests = {key_digest((key,)): name for key, name in classes.items()}
    assert all(one.record_class == digests[one.record] for one in found.links)


def test_lines_of_one_record_are_counted_with_first_and_last(drill: Drill, tmp_path: Path) -> None:
    key = key_of(drill, RecordClass.NOT_RECOVERABLE)
    times = ("2026-10-31 09:00:02", "2026-10-31 08:00:00", "no time, 19 signs..")
    found = interface(drill, **log_of(tmp_path, "OK", *(line(key, at) for at in times)))
    [one] = found.links
    assert (one.lines, one.first, one.last) == (3, "2026-10-31T00:00:00Z", "2026-10-31T01:00:02Z")
    assert (one.file, one.line, one.record) == ("own.log", 2, key_digest((key,)))
    assert (found.lines, found.verification.lines, found.verification.records) == (4, 3, 1)


@pytest.mark.parametrize(
    ("lines", "counted"),
    [
        ([line(99_999)], "absent"),
        ([line("no-number")], "absent"),
        ([line("9" * 40)], "absent"),
        ([line("1\0")], "absent"),
        ([line("1' OR '1'='1")], None),
        ([line("")], "nameless"),
        (["\ufffd"], "unreadable"),
        ([line("x" * LONGEST_LINE), "OK"], "unreadable"),
    ],
)
def test_what_cannot_be_told_is_never_settled(
    lines: list[str], counted: str | None, drill: Drill, tmp_path: Path
) -> None:
    found = interface(drill, **log_of(tmp_path, *lines))
    if counted is None:  # the pattern takes no blanks into a key: no such line
        assert found.verification.lines == 0
        return
    assert found.verification.settled is None
    place = found if counted == "unreadable" else found.verification
    assert getattr(place, counted) == 1
    assert found.lines == len(lines)


def test_a_log_that_did_not_come_leaves_it_open(drill: Drill, tmp_path: Path) -> None:
    right = log_of(tmp_path, line(key_of(drill, RecordClass.VALID)))
    assert interface(drill, **right).verification.settled
    found = interface(drill, **right, logs_missing=("app-02: sign",))
    assert (found.verification.settled, found.signing.settled) == (None, None)
    assert found.missing == ("app-02: sign",)
    wrong = log_of(tmp_path, line(key_of(drill, RecordClass.NOT_RECOVERABLE)))
    assert interface(drill, **wrong, logs_missing=("app-02: sign",)).verification.settled is False


def test_lines_that_no_pattern_knows_are_no_lines_without_failures(
    drill: Drill, tmp_path: Path
) -> None:
    """The application wrote FAILED once and writes it in another way now."""
    all_known = FAILED + "- {kind: other, pattern: '^OK'}\n"
    for text, wanted in (("OK", True), ("Failure of record 7", None)):
        found = interface(drill, **log_of(tmp_path, "OK", "", text, patterns=all_known))
        assert found.verification.settled is wanted
        assert found.unreadable == (wanted is None)


def test_an_empty_folder_is_no_log_without_failures(drill: Drill, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    found = interface(drill, **log_of(tmp_path) | {"logs": (tmp_path / "logs",)})
    assert (found.files, found.verification.settled) == (0, None)
    empty = interface(drill, **log_of(tmp_path))
    assert (empty.files, empty.lines, empty.signing.settled) == (1, 0, None)


def test_a_name_that_fits_nothing_is_no_log_without_failures(drill: Drill, tmp_path: Path) -> None:
    given = log_of(tmp_path, line(key_of(drill, RecordClass.VALID)))
    none = interface(drill, **given | {"logs": (tmp_path / "*/sign_*.csv",)})
    assert (none.files, none.verification.settled) == (0, None)
    found = interface(drill, **given | {"logs": (tmp_path / "*.log",)})
    assert (found.files, found.verification.settled) == (1, True)


def test_a_folder_is_read_whole(drill: Drill, tmp_path: Path) -> None:
    (tmp_path / "logs/b").mkdir(parents=True)
    given = log_of(tmp_path) | {"logs": (tmp_path / "logs",)}
    key = key_of(drill, RecordClass.VALID)
    for name in ("a.log", "b/\udcff.log"):  # any bytes can name a file
        (tmp_path / "logs" / name).write_text(line(key) + "\n")
    found = interface(drill, **given)
    assert (found.files, found.verification.lines, found.verification.right) == (2, 2, 1)
    assert found.verification.settled is True


def test_base_data_against_a_record_outweighs_its_signature(drill: Drill, tmp_path: Path) -> None:
    found = interface(drill, **log_of(tmp_path, line(key_of(drill, RecordClass.BASE_DIFFERS))))
    [one] = found.links
    assert (one.standing, one.record_class) == ("wrong", "base-differs")


def test_without_the_library_nothing_is_called_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = simulate.simulate(tmp_path, drills.lab_of("sm2"), records=3, seed=1, damaged_percent=0)
    monkeypatch.setattr(sm2, "library", None)
    found = interface(made, **log_of(tmp_path, line(1)))
    assert (found.verification.not_verifiable, found.verification.settled) == (1, None)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("- {kind: unknown, pattern: '(?P<key>.)'}\n", "Invalid enum value 'unknown'"),
        ("- {kind: signing-failed, pattern: '(?P<other>.)'}\n", "lacks a group of the key"),
        ("- {kind: signing-failed, pattern: '('}\n", "missing )"),
        ("- {kind: signing-failed, pattern: '(?P<key>.)', zone: Mars}\n", "no time zone 'Mars'"),
        ("[]\n", "holds no pattern of a failure"),
        ("- {kind: other, pattern: '.'}\n", "holds no pattern of a failure"),
        ("{\n", "flow"),
    ],
)
def test_patterns_are_refused_before_anything_is_read(
    text: str, wanted: str, drill: Drill, tmp_path: Path
) -> None:
    given = log_of(tmp_path, patterns=text)
    with pytest.raises(UsageError) as error:
        Correction(settings(drill, **given))
    assert wanted in error.value.what
    assert error.value.where == str(tmp_path / "own.yml")


def test_what_is_missing_is_said_at_once(drill: Drill, tmp_path: Path) -> None:
    given = log_of(tmp_path)
    for changes, wanted in (
        ({"logs": (tmp_path / "none.log",)}, "there is no such log"),
        ({"log_encoding": "no-such"}, "is no code page"),
        ({"log_encoding": "hex"}, "is no code page"),
        ({"log_patterns": None}, "data logs need a file of patterns"),
    ):
        with pytest.raises(UsageError) as error:
            Correction(settings(drill, **given | changes))
        assert wanted in error.value.what
    (tmp_path / "own.log").write_bytes(b"odd")
    with pytest.raises(SourceError) as unread:
        interface(drill, **given | {"log_encoding": "utf-16"})
    assert unread.value.where == str(tmp_path / "own.log")


def test_a_key_of_several_columns(tmp_path: Path) -> None:
    """Groups by place or by column; the order is the profile's, whatever that of the line."""
    for names in (("key1", "key2"), ("exam", "seat")):
        text = (
            f"- {{kind: signing-failed, pattern: 'seat=(?P<{names[1]}>.+) of (?P<{names[0]}>.+)'}}"
        )
        file = tmp_path / "patterns.yml"
        file.write_text(text)
        found = Patterns(file, ("exam", "seat")).match("seat=07 of 2026", "f", 1)
        assert found is not None
        assert found.key == ("2026", "07")
    file.write_text("- {kind: signing-failed, pattern: '(?P<key>.)'}")
    with pytest.raises(ProfileError, match=r"\(\?P<key1>\.\.\.\), \(\?P<key2>\.\.\.\)"):
        Patterns(file, ("exam", "seat"))


def test_keys_of_several_columns_find_their_record(url: str, tmp_path: Path) -> None:
    """On every database, and what is no key there never reaches it."""
    made = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=4, seed=2, damaged_percent=0, url=url
    )
    engine = make_engine(url)
    with engine.begin() as connection:
        short = sa.String(40)
        table = sa.Table(
            "pairs", sa.MetaData(),
            sa.Column("exam", short, primary_key=True), sa.Column("seat", sa.Integer, primary_key=True),
            *(sa.Column(name, short) for name in ("id", "ticket_no", "candidate", "subject")),
            *(sa.Column(name, short) for name in ("score", "held_on", "note", "cert_serial")),
            *(sa.Column(name, short) for name in ("sign_value", "signed_at")),
        )  # fmt: skip
        table.create(connection)
        connection.execute(table.insert(), [{"exam": "2026", "seat": 7}])
    engine.dispose()
    profile = msgspec.structs.replace(
        made.profile,
        table=msgspec.structs.replace(made.profile.table, name="pairs"),
        key=("exam", "seat"),
    )
    database = Database(url, profile)
    keys = [("2026", "7"), ("2026", "8"), ("2026", "x"), ("20\0", "7"), ("2026", "9" * 30)]
    keys.append(("2026", "007"))
    patterns = tmp_path / "pairs.yml"
    patterns.write_text("- {kind: signing-failed, pattern: '(?P<key1>[^/]+)/(?P<key2>.+)'}")
    log = tmp_path / "pairs.log"
    log.write_text("".join(f"{one}/{two}\n" for one, two in keys))
    links = Links(tmp_path, database.key_form)
    links.add(LogReader([log], Patterns(patterns, profile.key), "utf-8").failures())
    links.judge(database, drills.job_of(made).checker(), None)
    database.close()
    counts = links.counts("signing-failed", complete=True)
    links.close()
    # The one record that is there has no signature at all.
    assert (counts.lines, counts.records, counts.wrong, counts.absent) == (6, 5, 1, 4)


def test_memory_does_not_grow_with_the_log(
    drill: Drill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_of, "BUFFER", 1000)
    form = KeyForm(drill.profile, {"id": sa.BigInteger()})

    def peak(records: int) -> int:
        links = Links(tmp_path, form)
        failures = (
            Failure("signing-failed", (str(one),), "2026-10-31T00:00:00Z", "a.log", one)
            for one in range(records)
        )
        tracemalloc.start()
        try:
            links.add(failures)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            assert links.counts("signing-failed", complete=True).records == records
            links.close()

    few, many = peak(10_000), peak(40_000)
    assert many < 1.2 * few


def states(facts: InterfaceFacts | None) -> list[str]:
    """What the two shipped controls say of a table with these facts, verification first."""
    seen = Observation(
        id="OBS-1",
        run="20261101T080000Z-signature_correction-0000",
        activity="signatures",
        subject=Subject(kind=SubjectKind.RECORD_SET, id="drill-scores", host="archive"),
        collected_at="2026-11-01T08:00:00Z",
        clock_offset_ms=0,
        collector="signature_correction/1",
        facts={"interface": None if facts is None else msgspec.to_builtins(facts)},
    )
    return [evaluate(one, seen, [], NOW).state.value for one in CONTROLS]


def test_controls_tell_wrong_right_and_unknown_apart(drill: Drill, tmp_path: Path) -> None:
    valid, wrong = (key_of(drill, one) for one in (RecordClass.VALID, RecordClass.NOT_RECOVERABLE))
    told = {
        "pass": [line(valid)],
        "fail": [line(valid), line(wrong), line(99_999)],
        "not-collected": [line(valid), line(99_999)],
    }
    for state, lines in told.items():
        found = interface(drill, **log_of(tmp_path, *lines))
        assert states(found) == [state, "pass"]
    assert states(None) == ["not-applicable", "not-applicable"]
