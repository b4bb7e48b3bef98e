"""The script holds every statement to its before-image, and data never becomes a statement."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.signatures import drills
from tests.signatures.applying import contents, drill_key
from tests.signatures.conftest import NOW
from tests.winlab.commands.lab_hosts import make_host
from tests.winlab.sql_lab import PASSWORD, SqlLab

from opsproof.evidence.keys import create_demo_keys, load_keys
from opsproof.signatures import simulate, tsql
from opsproof.signatures.apply import Applier
from opsproof.signatures.correction import Correction, Settings
from opsproof.signatures.database import Database
from opsproof.signatures.errors import PlanError, ProfileError
from opsproof.signatures.plan import Plan
from opsproof.signatures.profile import Profile, TableName
from opsproof.signatures.tsql import Statement
from winlab.commands import run_cmd
from winlab.estate.build_sql import add_sql_server, add_sql_tools
from winlab.estate.schema import HostSpec
from winlab.host.host import Host
from winlab.sqlserver.database import Database as LabDatabase

NUMBER = r"-?[0-9]+(\.[0-9]+)?"
NAME = r"\[(?:[^\]]|\]\])+\]"
HEX = r"0x[0-9a-f]*"
LITERAL = rf"(?:NULL|{NUMBER}|{HEX}|CAST\({HEX} AS nvarchar\(max\)\))"
TEXT = rf"(?:CAST\({NAME} AS nvarchar\(max\)\)|CONVERT\(nvarchar\(max\), {NAME}, 121\))"
SAME = (
    rf"(?:{NAME} IS NULL|CAST\({NAME} AS varbinary\(max\)\) = {HEX}|{NAME} = {LITERAL}"
    rf"|CAST\({TEXT} AS varbinary\(max\)\) (?:= {HEX}|IN \({HEX}(?:, {HEX})*\)))"
)
UPDATE = re.compile(
    rf"UPDATE (?:{NAME}\.)?{NAME} SET {NAME} = {LITERAL}(?:, {NAME} = {LITERAL})* "  # noqa: S608 - a pattern
    rf"WHERE {SAME}(?: AND {SAME})*;"
)
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["'; DROP TABLE x --", "$(x)", "]]", "\nGO\n", ":r file", "/*", "' OR 1=1"]),
)
VALUES = st.one_of(
    st.none(),
    TEXTS,
    st.integers(-(10**18), 10**18),
    st.binary(max_size=20),
    st.decimals(-1000, 1000, places=3),
    st.dates(date(1900, 1, 1)),
    st.datetimes(datetime(1900, 1, 1)),  # noqa: DTZ001 - as a column shows it
)


def profile() -> Profile:
    document = simulate.profile_document("rsa", "raw", "base64", "international")
    return msgspec.convert(document, Profile)


@given(
    key=st.one_of(TEXTS, st.integers()), before=st.lists(VALUES, min_size=9, max_size=9), new=TEXTS
)
def test_every_update_has_one_shape_whatever_the_data(
    key: str | int, before: list[object], new: str
) -> None:
    one = profile()
    names = [name for name in one.columns if name not in one.key]
    held = {name: (value,) for name, value in zip(names, before, strict=True)}
    statement = Statement((key,), held, {"sign_value": new})
    lines = list(tsql.script(one, "0" * 64, [[statement]]))
    updates = [line for line in lines if line.startswith("UPDATE")]
    assert len(updates) == 1
    assert UPDATE.fullmatch(updates[0]), updates[0]
    assert lines.count("GO") == 2
    assert not any("\n" in line or "$(" in line for line in lines)


def test_conditions_name_every_column_and_its_exact_bytes() -> None:
    one = profile()
    names = [name for name in one.columns if name not in one.key]
    before: dict[str, tuple[object, ...]] = dict.fromkeys(names, ("x",))
    before["score"] = ("91.5", Decimal("91.5"))
    before["held_on"] = ("2026-06-07", date(2026, 6, 7))
    [update] = [
        line
        for line in tsql.script(one, "0" * 64, [[Statement((5,), before, {"sign_value": "QQ=="})]])
        if line.startswith("UPDATE")
    ]
    assert update.startswith(
        "UPDATE [exam score] SET [sign_value] = CAST(0x51005100"
        "3d003d00 AS nvarchar(max)) WHERE [id] = 5 AND "
    )
    assert all(f"[{name}]" in update.partition("WHERE")[2] for name in one.columns)
    assert in_text("score", "91.5", "91.50", "91.5000000000") in update
    assert ", [held_on], 121)" in update
    assert "2026-06-07 00:00:00.000".encode("utf-16-le").hex() in update


def in_text(column: str, first: str, second: str, last: str) -> str:
    """The begin of a condition over a number's ways to be written; the last must be there too."""
    assert len(last) > len(second)
    hexed = [f"0x{text.encode('utf-16-le').hex()}" for text in (first, second)]
    return f"CAST(CAST([{column}] AS nvarchar(max)) AS varbinary(max)) IN ({', '.join(hexed)}, "


def test_brackets_are_doubled_and_variables_refused() -> None:
    one = msgspec.structs.replace(
        profile(), table=TableName(name="a]; DROP TABLE b --", schema="d]o")
    )
    text = "\n".join(tsql.script(one, "0" * 64, [[Statement((1,), {}, {"sign_value": "A"})]]))
    assert "UPDATE [d]]o].[a]]; DROP TABLE b --] SET" in text
    bad = msgspec.structs.replace(profile(), table=TableName(name="$(x)"))
    with pytest.raises(ProfileError, match=r"the name '\$\(x\)' cannot stand in a script"):
        list(tsql.script(bad, "0" * 64, []))


class Server:
    """What a server makes of a script, as far as SQLite can: a table in UTF-16, as nvarchar is.

    Only notation is replaced; conditions and values are the script's own.
    """

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.execute("pragma encoding = 'UTF-16le'")
        old = sqlite3.connect(path)
        for line in old.iterdump():
            self.db.execute(line)
        old.close()

    def run(self, script: Path) -> Counter[str]:
        outcome: Counter[str] = Counter()
        rows = 0
        for line in script.read_bytes().decode("utf-16").split("\r\n"):
            sql = re.sub(r"\b0x([0-9a-f]*)", r"X'\1'", line)
            sql = re.sub(r"CONVERT\(nvarchar\(max\), (\[[^]]+\]), 121\)", r"CAST(\1 AS TEXT)", sql)
            sql = sql.replace("nvarchar(max)", "TEXT").replace("varbinary(max)", "BLOB")
            if sql.startswith("UPDATE"):
                rows = self.db.execute(sql).rowcount
            elif sql.startswith("IF EXISTS ("):
                there = self.db.execute(sql[len("IF EXISTS (") : -1]).fetchone()
                assert rows == 0 or there, "a value was stored as another"
                outcome["written" if rows else "already" if there else "left"] += 1
        return outcome

    def rows(self) -> dict[int, tuple[object, ...]]:
        return {row[0]: row for row in self.db.execute('select * from "exam score"')}


def prepared(folder: Path) -> tuple[simulate.Drill, Plan, Correction]:
    drill = simulate.simulate(
        folder, drills.lab_of("ecdsa"), records=30, seed=2, damaged_percent=70
    )
    _, plan = drills.planned(drill)
    create_demo_keys(folder / "keys", now=NOW)
    settings = Settings(
        profile=folder / "profile.yml",
        database=drill.url,
        work=folder,
        now=NOW,
        certificates=(folder / "signers.pem",),
        trusted=(folder / "ca.pem",),
        revocations=(folder / "ca.crl",),
    )
    return drill, plan, Correction(settings)


def test_a_script_does_what_the_plan_says_once_and_leads_back(tmp_path: Path) -> None:
    _, plan, correction = prepared(tmp_path)
    bureau = load_keys(tmp_path / "keys").bureau
    there, back = tmp_path / "there.sql", tmp_path / "back.sql"
    count = plan.footer.actions["write"]
    assert correction.write_script(plan, bureau, there) == count > 5
    assert there.stat().st_mode & 0o777 == 0o600
    updates = [line for line in text_of(there) if line.startswith("UPDATE")]
    assert all(UPDATE.fullmatch(line) for line in updates)
    server = Server(tmp_path / "records.db")
    before = server.rows()
    first, *others = [entry.key[0] for entry in plan.writes()]
    server.db.execute('update "exam score" set note = ? where id = ?', ("changed since", first))
    assert server.run(there) == {"written": count - 1, "left": 1}
    after = server.rows()
    assert {key for key in after if after[key] != before[key]} == {first, *others}
    assert after[first][7:] == before[first][7:]
    for entry in plan.writes():
        wanted = {name: value for name, value in entry.changes.items() if entry.key[0] != first}
        names = [one[1] for one in server.db.execute('pragma table_info("exam score")')]
        assert wanted.items() <= dict(zip(names, after[entry.key[0]], strict=True)).items()
    assert server.run(there) == {"already": count - 1, "left": 1}
    key = drill_key(tmp_path / "keys")
    assert correction.write_rollback_script(plan, bureau, key, back) == count
    assert server.run(back) == {"written": count - 1, "left": 1}
    assert {k: v for k, v in server.rows().items() if k != first} == {
        k: v for k, v in before.items() if k != first
    }
    assert server.run(back) == {"already": count - 1, "left": 1}


def test_an_error_ends_the_batch_before_it_tells_of_rows() -> None:
    """RAISERROR in a CATCH block ends nothing, and table variables keep what was rolled back."""
    lines = list(tsql.script(profile(), "x", [[Statement((1,), {}, {"sign_value": "A"})]]))
    caught = lines.index("BEGIN CATCH")
    assert lines.index("RETURN;", caught) < lines.index("END CATCH;", caught)
    assert lines[lines.index("END CATCH;") + 1].startswith("SELECT record, state FROM @outcome")


def text_of(path: Path) -> list[str]:
    return path.read_bytes().decode("utf-16").split("\r\n")


def test_a_copy_that_changed_gives_no_script(tmp_path: Path) -> None:
    drill, plan, correction = prepared(tmp_path)
    simulate.store(drill.url, drill.profile, [])
    with pytest.raises(PlanError) as caught:
        correction.write_script(plan, load_keys(tmp_path / "keys").bureau, tmp_path / "x.sql")
    assert caught.value.what == "the copy is not what the plan was made on"
    assert not list(tmp_path.glob("*x.sql*"))


def test_any_copy_gives_the_script_but_only_with_the_profile(tmp_path: Path) -> None:
    """Which server a script meets nobody knows here; every statement holds it to the before-image."""
    _, plan, correction = prepared(tmp_path)
    bureau = load_keys(tmp_path / "keys").bureau
    shutil.copy(tmp_path / "records.db", tmp_path / "copy.db")
    elsewhere = replace(correction.settings, database=f"sqlite:///{tmp_path / 'copy.db'}")
    count = plan.footer.actions["write"]
    assert Correction(elsewhere).write_script(plan, bureau, tmp_path / "x.sql") == count
    other = Correction(correction.settings)
    other.profile = msgspec.structs.replace(other.profile, id="other")
    with pytest.raises(PlanError, match="was made with another profile"):
        other.write_script(plan, bureau, tmp_path / "y.sql")


def management_host(lab: SqlLab) -> Host:
    """A Windows host with sqlcmd, from which the lab's SQL Server is reached as sql01."""
    host, server = make_host("en-US", name="mgmt"), make_host("en-US", "2008R2", name="sql01")
    add_sql_tools(host)
    host.network.peers["sql01"] = server
    spec = HostSpec(name="sql01", role="sql-server-2008")
    add_sql_server(server, spec, PASSWORD, "Administrator", "estate.yml")
    server.attach_sql(lab.instance)
    return host


def run_script(lab: SqlLab, host: Host, database: str, script: bytes) -> tuple[int, str]:
    """sqlcmd's exit code and output."""
    host.files.write("C:\\correction.sql", script)
    line = f"sqlcmd -S sql01 -U sa -P {PASSWORD} -d {database} -b -x -W -h -1 -i C:\\correction.sql"

    async def run() -> tuple[int, str]:
        result = run_cmd(host, line, user="Administrator")
        assert result.stderr == b""
        return result.rc, result.stdout.decode()

    return lab.call(run())


def outcomes(text: str) -> Counter[str]:
    return Counter(
        line.split()[1] for line in text.splitlines() if re.match(r"[0-9a-f]{24} ", line)
    )


def copied(lab: SqlLab, name: str, url: str) -> str:
    """The URL of a copy of a database of the lab."""
    number = len(lab.instance.databases) + 1

    async def copy() -> None:
        state = replace(lab.instance.databases[name].save(), name=f"copy{number}", id=number)
        lab.instance.databases[state.name] = LabDatabase.load(state)

    lab.call(copy())
    return url.replace(name, f"copy{number}")


def test_the_script_does_what_the_driver_does(tmp_path: Path, sql_server: SqlLab) -> None:
    """Run by sqlcmd on the management host; once more, it finds all done; a record of others stays."""
    url = sql_server.new_database()
    name = url.rpartition("/")[2]
    drill = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=40, seed=3, url=url, damaged_percent=70
    )
    job, plan = drills.planned(drill)
    by_script = copied(sql_server, name, url)
    foreign = copied(sql_server, name, url)
    correction = Correction(
        Settings(
            profile=tmp_path / "profile.yml",
            database=url,
            work=tmp_path,
            now=NOW,
            certificates=(tmp_path / "signers.pem",),
            trusted=(tmp_path / "ca.pem",),
            revocations=(tmp_path / "ca.crl",),
        )
    )
    create_demo_keys(tmp_path / "keys", now=NOW)
    bureau = load_keys(tmp_path / "keys").bureau
    writes = correction.write_script(plan, bureau, tmp_path / "correction.sql")
    script = (tmp_path / "correction.sql").read_bytes()
    host = management_host(sql_server)

    there = by_script.rpartition("/")[2]
    code, text = run_script(sql_server, host, there, script)
    assert (code, outcomes(text)) == (0, {"written": writes}), text
    database = Database(url, drill.profile)
    result = Applier(plan, drill.profile, database, job.checker(), tmp_path, bureau).apply()
    database.close()
    assert result.written == writes
    after = contents(drill)
    scripted = replace(drill, url=by_script)
    assert contents(scripted) == after

    assert outcomes(run_script(sql_server, host, there, script)[1]) == {"already": writes}
    assert contents(scripted) == after

    key = drill_key(tmp_path / "keys")
    assert correction.write_rollback_script(plan, bureau, key, tmp_path / "back.sql") == writes
    back = (tmp_path / "back.sql").read_bytes()
    assert outcomes(run_script(sql_server, host, there, back)[1]) == {"written": writes}
    assert contents(scripted) == contents(replace(drill, url=foreign))

    changed = next(iter(plan.writes())).key[0]
    with sql_server.connect(database=foreign.rpartition("/")[2]) as link, link.cursor() as cursor:
        cursor.execute("UPDATE [exam score] SET note = N'别人' WHERE id = %d", (changed,))
        link.commit()
    before = contents(replace(drill, url=foreign))[changed]
    code, text = run_script(sql_server, host, foreign.rpartition("/")[2], script)
    assert (code, outcomes(text)) == (0, {"written": writes - 1, "left": 1})
    assert contents(replace(drill, url=foreign))[changed] == before
