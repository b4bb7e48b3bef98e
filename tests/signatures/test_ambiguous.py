"""No two records pass for one another unseen: what would have the same bytes is refused or named."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from tests.signatures import drills
from tests.signatures.conftest import NOW

from opsproof.signatures import encodings, simulate
from opsproof.signatures.ambiguous import compile_look
from opsproof.signatures.analyse import Analysis
from opsproof.signatures.check import reference_of
from opsproof.signatures.correction import Correction, Settings
from opsproof.signatures.database import Database, make_engine
from opsproof.signatures.model import RecordClass, key_digest
from opsproof.signatures.profile import Field, Profile, Serialisation, SignedAt, Variants, problems
from opsproof.signatures.serialise import compile_writer
from opsproof.signatures.simulate import Drill
from opsproof.signatures.values import normalise

FIELDS = (
    Field(name="name", column="name"),
    Field(name="score", column="score", type="integer"),
    Field(name="note", column="note"),
)


def profile_of(*fields: Field, **settings: Any) -> Profile:
    document = simulate.profile_document("rsa", "raw", "base64", "international")
    drill = msgspec.convert(document, Profile)
    spec = Serialisation(**settings)
    return msgspec.structs.replace(drill, fields=fields, serialisation=spec, variants=Variants())


def looked(profile: Profile, *records: tuple[Any, ...]) -> list[int]:
    """Fields' values as cells of the profile's columns."""
    places = [profile.columns.index(field.column) for field in profile.fields]
    batch = []
    for record in records:
        cells: list[Any] = [None] * len(profile.columns)
        for place, value in zip(places, record, strict=True):
            cells[place] = value
        batch.append(cells)
    return compile_look(profile)(list(zip(*batch, strict=True)))


@pytest.mark.parametrize(
    ("settings", "one", "other"),
    [
        ({}, ("Li|59", 100, "ok"), ("Li", 59, "100|ok")),
        (
            {"layout": "pairs", "separator": "&"},
            ("Li", 59, "x&score=100&note=ok"),
            ("Li&score=59&note=x", 100, "ok"),
        ),
        ({"width": "half"}, ("Li｜59", 100, "ok"), ("Li", 59, "100｜ok")),
        ({"separator": "||"}, ("Li|", 5, "|ok"), ("Li|", 5, "|ok")),
        (
            {"separator": ";", "unicode": "nfc"},
            ("Li\u037e59", 100, "ok"),
            ("Li", 59, "100\u037eok"),
        ),
    ],
)
def test_records_of_the_same_bytes_are_named(
    settings: dict[str, Any], one: tuple[Any, ...], other: tuple[Any, ...]
) -> None:
    profile = profile_of(*FIELDS, **settings)
    write = compile_writer(profile.fields, profile.serialisation)
    assert write(one) == write(other)
    plain = ("Li = Wei & \ue000", 59, None)
    assert looked(profile, plain, one, plain, other) == [1, 3]


def test_what_cannot_be_taken_for_another_is_not_named() -> None:
    odd = ("a|b", 1, "&score=1&note=")
    assert looked(profile_of(*FIELDS, layout="json"), odd) == []
    assert looked(profile_of(FIELDS[0]), ("a|b",)) == []
    assert looked(profile_of(*FIELDS, fields=("score", "note")), ("a|b", 1, "x")) == []
    assert looked(profile_of(*FIELDS, layout="pairs", separator="&"), ("A&B", 1, "x=&y")) == []
    assert looked(profile_of(*FIELDS, separator="||"), ("", 1, ""), ("a|b", 1, "c")) == []
    dated = (Field(name="on", column="held_on", type="date"), FIELDS[0])
    assert looked(profile_of(*dated, separator="-"), ("2026-06-07", "Li")) == []
    assert looked(profile_of(*FIELDS), (5, "x", "a|b"), (None, None, None)) == [0]


TEXTS = st.lists(st.text("ab|", max_size=4), min_size=3, max_size=3)


@given(texts=TEXTS, separator=st.sampled_from(["|", "||", "|a|", "ab"]))
def test_no_ambiguous_record_is_missed(texts: list[str], separator: str) -> None:
    fields = tuple(Field(name=name, column=name) for name in ("x", "y", "z"))
    body = separator.join(texts)
    # The separators as early and as late as can be: alike where there is one way to read the record.
    ways = {tuple(body.split(separator, 2)), tuple(body.rsplit(separator, 2))}
    found = looked(profile_of(*fields, separator=separator), tuple(texts))
    assert found == [0] or len(ways) == 1


NOTE = "a&note=b"


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Drill:
    """Its first record has a note with the separator, and a right signature over it."""
    folder = tmp_path_factory.mktemp("ambiguous")
    made = simulate.simulate(folder, drills.lab_of("ecdsa"), records=5, seed=1, damaged_percent=0)
    checker = drills.job_of(made).checker()
    with_database = Database(made.url, made.profile)
    cells = list(next(with_database.stream())[0])
    with_database.close()
    cells[made.profile.columns.index("note")] = NOTE
    message = checker.message(checker.row(cells).values)
    assert message is not None
    signed = drills.service_of(made).sign(message, checker.algorithms, NOW)
    values = {
        "note": NOTE,
        "sign_value": encodings.encode(signed.signature, made.profile.signature.encoding),
        "cert_serial": reference_of(signed.certificate, made.profile.certificate),
        "signed_at": f"{NOW - timedelta(days=1):%Y-%m-%d %H:%M:%S}",
    }
    engine = make_engine(made.url)
    table = sa.table("exam score", *(sa.column(name) for name in made.profile.columns))
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.execute(sa.update(table).where(table.c.id == cells[0]).values(values))
    engine.dispose()
    return made


def analysed(drill: Drill, *, base: bool) -> Analysis:
    return drills.analysed(drill, base=base)[1]


def test_they_are_counted_and_named_and_stay_valid(drill: Drill, tmp_path: Path) -> None:
    analysis = analysed(drill, base=False)
    assert analysis.classes[RecordClass.VALID] == 5
    assert (analysis.ambiguous, analysis.ambiguous_records) == (1, (key_digest((1,)),))
    correction = Correction(Settings(drill.folder / "profile.yml", drill.url, tmp_path, NOW))
    facts = correction.facts("analysed", analysis=analysis)
    assert (facts.ambiguous, facts.ambiguous_records) == (1, (key_digest((1,)),))
    _, plan = drills.planned(drill, base=False)
    assert correction.facts("planned", plan=plan).ambiguous == 1


def test_base_data_that_says_the_same_tells_them_apart(drill: Drill) -> None:
    path = drill.folder / "base.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    note = next(name for name in rows[0] if "note" in name)
    rows[0][note] = NOTE
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    analysis = analysed(drill, base=True)
    assert (analysis.classes[RecordClass.VALID], analysis.ambiguous) == (5, 0)


BOOLEAN = Field(name="ok", column="ok", type="boolean")


TIMED = msgspec.structs.replace(profile_of(*FIELDS), signed_at=SignedAt(column="at", zone="X"))


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        (profile_of(*FIELDS, separator=""), "separator must not be empty"),
        (profile_of(*FIELDS, separator="", layout="pairs"), "separator must not be empty"),
        (profile_of(BOOLEAN, booleans=("1", "1")), "booleans must be two different"),
        (profile_of(Field(name="a", column="a", zone="Asia")), "'Asia' is no time zone"),
        (TIMED, "'X' is no time zone"),
    ],
)
def test_a_profile_that_makes_records_alike_is_refused(profile: Profile, problem: str) -> None:
    [said] = problems(profile)
    assert problem in said


def test_what_does_not_matter_is_not_refused() -> None:
    assert problems(profile_of(*FIELDS, separator="", layout="json")) == []
    assert problems(profile_of(FIELDS[0], separator="")) == []
    assert problems(profile_of(*FIELDS, booleans=("1", "1"))) == []


def test_moments_with_offsets_are_read_in_one_zone() -> None:
    """00:00 in Greenwich and 00:00 in Shanghai are eight hours apart; the offset is the driver's."""
    field = Field(name="at", column="at", type="datetime")
    shanghai = timezone(timedelta(hours=8))
    midnight = datetime(2026, 6, 7, tzinfo=UTC)
    assert normalise(field, midnight) != normalise(field, midnight.replace(tzinfo=shanghai))
    assert normalise(field, midnight) == normalise(field, midnight.astimezone(shanghai))
    assert normalise(field, midnight) == datetime(2026, 6, 7, 8)  # noqa: DTZ001 - as clocks show it
    abroad = msgspec.structs.replace(field, zone="UTC")
    assert normalise(abroad, midnight) == datetime(2026, 6, 7)  # noqa: DTZ001 - as above
    last = datetime.max.replace(tzinfo=UTC)
    with pytest.raises(ValueError, match="at is not of type datetime"):
        normalise(field, last)
