"""The script holds every statement to its before-image, and data never becomes a statement."""

from __future__ import annotations

import re
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
from tests.signatures.conftest import NOW
from tests.signatures.test_apply import contents
from tests.winlab.commands.lab_hosts import make_host
from tests.winlab.sql_lab import PASSWORD, SqlLab

from opsproof.evidence.keys import create_demo_keys, load_keys
from opsproof.signatures import simulate, tsql
from opsproof.signatures.apply import Applier
from opsproof.signatures.correction import Correction, Settings
from opsproof.signatures.database import Database
from opsproof.signatures.errors import PlanError, ProfileError
from opsproof.signatures.profile import Profile, TableName
from opsproof.signatures.tsql import Statement
from winlab.commands import run_cmd
from winlab.estate.build_sql import add_sql_server, add_sql_tools
from winlab.estate.schema import HostSpec
from winlab.host.host import Host
from winlab.sqlserver.database import Database as LabDatabase

NUMBER = r"-?[0-9]+(\.[0-9]+)?"
NAME = r"\[(?:[^\]]|\]\])+\]"
LITERAL = (
    rf"(?:NULL|{NUMBER}|0x[0-9a-f]*|CAST\((?:CAST\(0x[0-9a-f]* AS nvarchar\(40\)\) AS \w+"
    r"|0x[0-9a-f]* AS nvarchar\(max\))\))"
)
SAME = (
    rf"(?:{NAME} IS NULL|CAST\({NAME} AS \w+\) = {LITERAL}"
    rf"|CAST\(CAST\({NAME} AS nvarchar\(max\)\) AS varbinary\(max\)\) = 0x[0-9a-f]*"
    rf"|CAST\({NAME} AS varbinary\(max\)\) = 0x[0-9a-f]*|{NAME} = {LITERAL})"
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
    statement = Statement((key,), dict(zip(names, before, strict=True)), {"sign_value": new})
    lines = list(tsql.script(one, "0" * 64, [[statement]]))
    updates = [line for line in lines if line.startswith("UPDATE")]
    assert len(updates) == 1
    assert UPDATE.fullmatch(updates[0]), updates[0]
    assert lines.count("GO") == 2
    assert not any("\n" in line or "$(" in line for line in lines)


def test_conditions_name_every_column_and_its_exact_bytes() -> None:
    one = profile()
    names = [name for name in one.columns if name not in one.key]
    before = dict.fromkeys(names, "x")
    before["score"] = Decimal("91.5")  # type: ignore[assignment]
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
    assert "[score] = 91.5" in update


def test_brackets_are_doubled_and_variables_refused() -> None:
    one = msgspec.structs.replace(
        profile(), table=TableName(name="a]; DROP TABLE b --", schema="d]o")
    )
    text = "\n".join(tsql.script(one, "0" * 64, [[Statement((1,), {}, {"sign_value": "A"})]]))
    assert "UPDATE [d]]o].[a]]; DROP TABLE b --] SET" in text
    bad = msgspec.structs.replace(profile(), table=TableName(name="$(x)"))
    with pytest.raises(ProfileError, match=r"the name '\$\(x\)' cannot stand in a script"):
        list(tsql.script(bad, "0" * 64, []))


def test_the_script_of_a_plan(tmp_path: Path) -> None:
    drill = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=20, seed=2, damaged_percent=60
    )
    _, plan = drills.planned(drill)
    correction = Correction(
        Settings(
            profile=tmp_path / "profile.yml",
            database=drill.url,
            work=tmp_path,
            now=NOW,
            certificates=(tmp_path / "signers.pem",),
            trusted=(tmp_path / "ca.pem",),
            revocations=(tmp_path / "ca.crl",),
        )
    )
    path = tmp_path / "correction.sql"
    assert correction.write_script(plan, path) == plan.footer.actions["write"]
    text = path.read_bytes().decode("utf-16")
    updates = [line for line in text.split("\r\n") if line.startswith("UPDATE")]
    assert len(updates) == plan.footer.actions["write"]
    assert all(UPDATE.fullmatch(line) for line in updates)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_copy_that_changed_gives_no_script(tmp_path: Path) -> None:
    drill = simulate.simulate(
        tmp_path, drills.lab_of("ecdsa"), records=12, seed=2, damaged_percent=60
    )
    job, plan = drills.planned(drill)
    simulate.store(drill.url, drill.profile, [])
    database = Database(job.url, job.profile)
    with pytest.raises(PlanError) as caught:
        list(tsql.statements(plan, job.profile, database, job.checker()))
    database.close()
    assert caught.value.what == "the copy is not what the plan was made on"


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
    by_driver = copied(sql_server, name, url)
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
    writes = correction.write_script(plan, tmp_path / "correction.sql")
    script = (tmp_path / "correction.sql").read_bytes()
    host = management_host(sql_server)

    code, text = run_script(sql_server, host, name, script)
    assert (code, outcomes(text)) == (0, {"written": writes}), text
    create_demo_keys(tmp_path / "keys", now=NOW)
    database = Database(by_driver, drill.profile)
    bureau = load_keys(tmp_path / "keys").bureau
    result = Applier(plan, drill.profile, database, job.checker(), tmp_path, bureau).apply()
    database.close()
    assert result.written == writes
    after = contents(drill)
    assert after == contents(replace(drill, url=by_driver))

    assert outcomes(run_script(sql_server, host, name, script)[1]) == {"already": writes}
    assert contents(drill) == after

    changed = next(iter(plan.writes())).key[0]
    with sql_server.connect(database=foreign.rpartition("/")[2]) as link, link.cursor() as cursor:
        cursor.execute("UPDATE [exam score] SET note = N'别人' WHERE id = %d", (changed,))
        link.commit()
    before = contents(replace(drill, url=foreign))[changed]
    code, text = run_script(sql_server, host, foreign.rpartition("/")[2], script)
    assert (code, outcomes(text)) == (0, {"written": writes - 1, "left": 1})
    assert contents(replace(drill, url=foreign))[changed] == before
