"""sqlcmd on a management host, against the engine of a peer."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from tests.winlab.commands.lab_hosts import make_host
from tests.winlab.sql_lab import PASSWORD, new_instance, new_session, run

from winlab.commands import run_cmd
from winlab.estate.build_sql import add_sql_server, add_sql_tools
from winlab.estate.schema import HostSpec
from winlab.host.host import Host
from winlab.sqlserver.events import Result
from winlab.sqlserver.instance import Instance


@dataclass
class Pair:
    """A management host and the SQL Server that it reaches."""

    management: Host
    server: Host

    @property
    def instance(self) -> Instance:
        assert self.server.sql is not None
        return self.server.sql

    def sqlcmd(self, words: str) -> tuple[int, str, str]:
        result = run_cmd(self.management, f"sqlcmd -S sql01 {words}", user="Administrator")
        clean = [part.decode().replace("\r\n", "\n") for part in (result.stdout, result.stderr)]
        return result.rc, clean[0], clean[1]


@pytest.fixture
def pair() -> Pair:
    management, server = make_host("en-US", name="mgmt"), make_host("en-US", "2008R2", name="sql01")
    add_sql_tools(management)
    spec = HostSpec(name="sql01", role="sql-server-2008")
    add_sql_server(server, spec, PASSWORD, "Administrator", "estate.yml")
    management.network.peers["sql01"] = server
    found = Pair(management, server)
    found.instance.attach("exam")
    return found


LOGIN = f"-U sa -P {PASSWORD}"


def test_a_query_prints_a_table(pair: Pair) -> None:
    code, out, err = pair.sqlcmd("-E -Q \"SELECT 7 AS id, N'王' AS name, CAST(NULL AS int) AS a\"")
    assert (code, err) == (0, "")
    assert out == (
        "id          name a          \n"
        "----------- ---- -----------\n"
        "          7 王       NULL\n"
        "\n(1 rows affected)\n"
    ).replace("7 王       NULL", "7 王           NULL")


def test_plain_output_for_programs(pair: Pair) -> None:
    words = f"{LOGIN} -h -1 -W -s , -Q \"SET NOCOUNT ON; SELECT 1, 'a ', 0x0aff, 1.50, 0.5\""
    assert pair.sqlcmd(words) == (0, "1,a,0x0AFF,1.50,.5\n", "")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ('-E -Q "SELECT 1/0"', 0),
        ('-E -b -Q "SELECT 1/0"', 1),
        ('-E -b -V 17 -Q "SELECT 1/0"', 0),
        ('-E -b -Q "PRINT 5"', 0),
        ('-U sa -P wrong -Q "SELECT 1"', 1),
        (f'{LOGIN} -d nowhere -Q "SELECT 1"', 1),
        ('-E -Q "SELECT $(nothing)"', 1),
        ('-E -x -Q "SELECT $(nothing)"', 0),
        ("-E -i C:\\nothing.sql", 1),
        ("-E -Q x -i C:\\a.sql", 1),
        ("-E -Q \"RAISERROR(N'out', 16, 127)\"", 50_000),
        ("-Z", 1),
    ],
)
def test_exit_codes(pair: Pair, words: str, code: int) -> None:
    assert pair.sqlcmd(words)[0] == code


def test_errors_go_where_they_are_told(pair: Pair) -> None:
    text = "Msg 208, Level 16, State 1, Server SQL01, Line 1\nInvalid object name 'x'.\n"
    assert pair.sqlcmd('-E -Q "SELECT * FROM x"') == (0, text, "")
    assert pair.sqlcmd('-E -r -Q "PRINT 1 SELECT * FROM x"') == (0, "1\n", text)
    assert pair.sqlcmd('-E -r1 -Q "PRINT 1 SELECT * FROM x"') == (0, "", "1\n" + text)


def test_scripts_variables_and_files(pair: Pair) -> None:
    script = (
        "\ufeff:setvar table seen\r\nCREATE TABLE $(table) (a nvarchar(9))\r\nGO\r\n"
        "INSERT $(table) VALUES (N'$(who)')\r\nGO 3\r\n:on error exit\r\n"
        "SELECT COUNT(*) AS n FROM $(table) WHERE a = N'考生'\r\nGO\r\n"
        "SELECT * FROM nothing\r\nGO\r\nSELECT 'never'\r\n"
    )
    pair.management.files.write("C:\\run.sql", script.encode("utf-16-le"))
    words = "-E -d exam -i C:\\run.sql -o C:\\out.txt -u -W -h -1 -v who=考生"
    assert pair.sqlcmd(words) == (1, "", "")
    written = pair.management.files.read("C:\\out.txt").decode("utf-16").replace("\r\n", "\n")
    assert written == (
        "\n(1 rows affected)\n" * 3
        + "3\n\n(1 rows affected)\n"
        + "Msg 208, Level 16, State 1, Server SQL01, Line 1\nInvalid object name 'nothing'.\n"
    )


def test_what_an_open_transaction_wrote_is_gone(pair: Pair) -> None:
    assert pair.sqlcmd('-E -d exam -b -Q "CREATE TABLE t (a int)"')[0] == 0
    assert pair.sqlcmd('-E -d exam -b -Q "BEGIN TRAN INSERT t VALUES (1)"')[0] == 0
    session = new_session(pair.instance)
    [found, _] = run(session, "SELECT COUNT(*) FROM t")
    assert isinstance(found, Result)
    assert found.rows == [(0,)]
    run(session, "BEGIN TRAN INSERT t VALUES (1)")
    code, out, _ = pair.sqlcmd('-E -d exam -b -Q "INSERT t VALUES (2)"')
    assert code == 1
    assert out.startswith("Msg 1222, Level 16")


def test_a_stopped_service_is_not_found(pair: Pair) -> None:
    assert run_cmd(pair.server, "net stop MSSQLSERVER /y", user="Administrator").rc == 0
    code, out, err = pair.sqlcmd('-E -Q "SELECT 1"')
    assert (code, out) == (1, "")
    assert "Login timeout expired" in err


def test_a_failed_login_is_in_both_logs(pair: Pair) -> None:
    pair.sqlcmd('-U 考生 -P x -Q "SELECT 1"')
    record = pair.server.eventlogs.records("Application")[-1]
    assert (record.provider, record.event_id) == ("MSSQLSERVER", 18456)
    assert list(record.values().values())[:2] == [
        "考生",
        " Reason: Could not find a login matching the name provided.",
    ]
    log = "C:\\Program Files\\Microsoft SQL Server\\MSSQL10.MSSQLSERVER\\MSSQL\\Log\\ERRORLOG"
    text = pair.server.files.read(log).decode("utf-16")
    assert "Error: 18456, Severity: 14, State: 5." in text
    assert "x" not in text.partition("Login failed")[2].partition("[CLIENT")[0].replace("考生", "")


def test_new_instances_stand_alone() -> None:
    assert new_instance("2019").banner.startswith("Microsoft SQL Server 2019")
