"""SQL Server in an estate: what it declares, what stops and restarts, what snapshots keep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymssql
import pytest
from tests.winlab.estate.conftest import Builder

from winlab.commands import run_cmd
from winlab.estate.errors import EstateError
from winlab.estate.lab import Lab
from winlab.estate.schema import parse_estate
from winlab.server.errors import LabError

ESTATE = """
estate: 1
hosts:
  - name: sql-01
    os: "2008R2"
    locale: zh-CN
    winrm: {http: false, https: false}
    sql:
      version: "2008R2"
      tls12: true
      port: 14330
      collation: Chinese_PRC_CI_AS
      logins:
        - {name: clerk, password: Clerk-1, databases: {exam: writer}}
        - {name: auditor, password: Audit-1, databases: {exam: reader}}
      databases:
        - name: exam
          script: |
            CREATE TABLE candidates (id int PRIMARY KEY, name nvarchar(20) NOT NULL)
            GO
            INSERT candidates VALUES (1, N'王伟')
        - {name: archive, online: false}
"""


def lab_of(text: str = ESTATE) -> Lab:
    return Lab(
        parse_estate(text),
        password="Lab-1",
        file=Path("estate.yml"),
        seed="sql",
        clock=lambda: datetime.now(UTC),
    )


def with_lab(work: Callable[[Lab], Awaitable[None]]) -> None:
    async def whole() -> None:
        lab = lab_of()
        await lab.start()
        try:
            await work(lab)
        finally:
            await lab.stop()

    asyncio.run(whole())


async def ask(lab: Lab, text: str, **login: str) -> list[tuple[object, ...]]:
    """What a client in another thread gets; rows of the last result."""
    wanted: dict[str, Any] = {"user": "sa", "password": "Lab-1", "database": "exam"} | login
    address = lab.hosts["sql-01"].address

    def work() -> list[tuple[object, ...]]:
        with (
            pymssql.connect(
                server=address, port="14330", login_timeout=5, timeout=10, autocommit=True, **wanted
            ) as link,
            link.cursor() as cursor,
        ):
            cursor.execute(text)
            return list(cursor.fetchall()) if cursor.description else []

    return await asyncio.to_thread(work)


def number_of(error: BaseException) -> int:
    return int(error.args[0][0] if isinstance(error.args[0], tuple) else error.args[0])


def test_databases_logins_and_rights() -> None:
    async def work(lab: Lab) -> None:
        assert lab.describe()["sql-01"]["sql"] == {"instance": "MSSQLSERVER", "port": 14330}
        assert await ask(lab, "SELECT name FROM candidates") == [("王伟",)]
        [(version,)] = await ask(lab, "SELECT @@VERSION")
        assert "10.50.6542.0" in str(version)
        clerk = {"user": "clerk", "password": "Clerk-1"}
        await ask(lab, "INSERT candidates VALUES (2, N'李娜')", **clerk)
        auditor = {"user": "auditor", "password": "Audit-1"}
        assert await ask(lab, "SELECT COUNT(*) FROM candidates", **auditor) == [(2,)]
        for text, number in (
            ("DELETE candidates", 229),
            ("CREATE TABLE x (a int)", 262),
            ("USE archive", 942),
        ):
            with pytest.raises(pymssql.Error) as caught:
                await ask(lab, text, **auditor)
            assert number_of(caught.value) == number, text
        with pytest.raises(pymssql.OperationalError):
            await ask(lab, "SELECT 1", user="clerk", password="no")
        host = lab.hosts["sql-01"].host
        assert host.eventlogs.records("Application")[-1].event_id == 18456
        runs = lab.hosts["sql-01"].counters.runs
        assert runs["sql login"] >= 7
        assert runs["sql batch"] >= 7

    with_lab(work)


def test_a_stopped_service_refuses_and_keeps_its_rows() -> None:
    async def work(lab: Lab) -> None:
        host = lab.hosts["sql-01"]
        await ask(lab, "INSERT candidates VALUES (3, N'赵敏')")
        assert run_cmd(host.host, "net stop MSSQLSERVER /y", user="Administrator").rc == 0
        lab._changed(host)
        with pytest.raises(pymssql.OperationalError) as caught:
            await ask(lab, "SELECT 1")
        assert "Connection refused" in str(caught.value)
        assert run_cmd(host.host, "net start MSSQLSERVER", user="Administrator").rc == 0
        lab._changed(host)
        await asyncio.sleep(0.05)
        assert await ask(lab, "SELECT COUNT(*) FROM candidates") == [(2,)]

    with_lab(work)


def test_snapshots_hold_databases() -> None:
    async def work(lab: Lab) -> None:
        await lab.handle({"do": "snapshot", "label": "before"})
        await ask(lab, "DELETE candidates")
        await ask(lab, "CREATE TABLE more (a int)")
        assert await ask(lab, "SELECT COUNT(*) FROM candidates") == [(0,)]
        await lab.handle({"do": "restore", "label": "before"})
        assert await ask(lab, "SELECT name FROM candidates") == [("王伟",)]
        assert await ask(lab, "SELECT name FROM sys.tables") == [("candidates",)]
        await ask(lab, "INSERT candidates VALUES (9, N'九')")
        await lab.handle({"do": "reset"})
        assert await ask(lab, "SELECT COUNT(*) FROM candidates") == [(1,)]
        dumped = (await lab.handle({"do": "dump"}))["sql-01"]["sql"]
        assert dumped["databases"]["exam"]["tables"] == {"dbo.candidates": 1}

    with_lab(work)


def test_a_snapshot_waits_for_no_transaction() -> None:
    async def work(lab: Lab) -> None:
        address = lab.hosts["sql-01"].address
        link = await asyncio.to_thread(
            pymssql.connect,
            server=address,
            port="14330",
            user="sa",
            password="Lab-1",
            database="exam",
        )
        cursor = link.cursor()
        await asyncio.to_thread(cursor.execute, "DELETE candidates")
        with pytest.raises(LabError, match="open transaction in the database exam"):
            await lab.handle({"do": "snapshot", "label": "x"})
        await lab.handle({"do": "fault", "kind": "down"})
        with pytest.raises(pymssql.Error):
            await asyncio.to_thread(cursor.execute, "SELECT 1")
        with pytest.raises(pymssql.OperationalError):
            await ask(lab, "SELECT 1")
        await lab.handle({"do": "fault", "kind": "up"})
        await asyncio.sleep(0.05)
        assert await ask(lab, "SELECT COUNT(*) FROM candidates") == [(1,)]

    with_lab(work)


def test_writes_trip_the_guard() -> None:
    async def work(lab: Lab) -> None:
        await lab.handle({"do": "guard", "mode": "on"})
        await ask(lab, "SELECT * FROM candidates")
        assert (await lab.handle({"do": "guard"}))["sql-01"] == []
        await ask(lab, "DELETE candidates WHERE id = 77")
        assert [one["what"] for one in (await lab.handle({"do": "guard"}))["sql-01"]] == [
            "sql exam.dbo.candidates"
        ]

    with_lab(work)


def test_a_named_instance_is_found_by_the_browser() -> None:
    text = ESTATE.replace('version: "2008R2"', 'version: "2012"\n      instance: EXAMS')

    async def work() -> None:
        lab = lab_of(text)
        await lab.start()
        try:
            address = lab.hosts["sql-01"].address

            def connect(name: str) -> object:
                with (
                    pymssql.connect(
                        server=f"{address}\\{name}", user="sa", password="Lab-1", login_timeout=5
                    ) as link,
                    link.cursor() as cursor,
                ):
                    cursor.execute(
                        "SELECT @@SERVERNAME, CAST(SERVERPROPERTY('InstanceName') AS varchar(9))"
                    )
                    return cursor.fetchall()

            assert await asyncio.to_thread(connect, "exams") == [("SQL-01\\EXAMS", "EXAMS")]
            with pytest.raises(pymssql.OperationalError):
                await asyncio.to_thread(connect, "other")
            host = lab.hosts["sql-01"]
            assert run_cmd(host.host, "net stop SQLBrowser", user="Administrator").rc == 0
            lab._changed(host)
            await asyncio.sleep(0.05)
            with pytest.raises(pymssql.OperationalError):
                await asyncio.to_thread(connect, "exams")
        finally:
            await lab.stop()

    asyncio.run(work())


def test_a_bad_script_is_named(build: Builder) -> None:
    with pytest.raises(EstateError) as caught:
        build(ESTATE.replace("int PRIMARY", "integr PRIMARY"))
    assert "hosts[sql-01].sql.databases[exam].script" in str(caught.value)
    assert "the type integr" in str(caught.value)
