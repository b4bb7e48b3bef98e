"""One instance of SQL Server on a loopback address, served from a thread beside the tests."""

from __future__ import annotations

import asyncio
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import pymssql

from winlab.server.ports import Fault
from winlab.server.sqlservers import SqlServers
from winlab.sqlserver.events import Event
from winlab.sqlserver.instance import Instance, Login, LoginFailed
from winlab.sqlserver.product import PRODUCTS
from winlab.sqlserver.session import Client, Session, drive

T = TypeVar("T")
PASSWORD = "Sa-Pass-1"


def new_instance(year: str = "2008", **options: Any) -> Instance:
    found = Instance(
        PRODUCTS[year],
        "SQL-01",
        now=lambda: datetime(2026, 11, 26, 20, 0, 0, 123456),  # noqa: DTZ001 - the host's local time
        utc_now=lambda: datetime(2026, 11, 26, 12, 0, 0, 123456),  # noqa: DTZ001 - as above
        new_guid=lambda: str(uuid.uuid4()).upper(),
        **options,
    )
    found.logins["sa"] = Login("sa", PASSWORD, sysadmin=True)
    found.attach("exam", collation="Chinese_PRC_CI_AS")
    return found


def new_session(instance: Instance, database: str = "exam") -> Session:
    return instance.log_in("sa", PASSWORD, database, Client("tests", "pytest"))


def run(session: Session, text: str) -> list[Event]:
    return drive(session.batch(text))


class SqlLab:
    """A host with an instance; ``fault`` is what the next request meets."""

    def __init__(
        self, year: str = "2008", *, address: str = "127.77.4.9", tls12: bool = True, **options: Any
    ) -> None:
        self.name, self.address = "SQL-01", address
        self.failed: list[LoginFailed] = []
        self.unmodelled: list[str] = []
        self.instance = new_instance(
            year, login_failed=self.failed.append, not_modelled=self.unmodelled.append
        )
        self.up = self.running = True
        self.faults: list[Fault] = []
        self.counted: Counter[str] = Counter()
        with socket.socket() as probe:
            probe.bind((address, 0))
            self.port = int(probe.getsockname()[1])
        self.servers = SqlServers(lambda: datetime.now(UTC))
        self.servers.add(
            self,
            self.instance,
            port=self.port,
            tls12=tls12,
            force_encryption=options.pop("force_encryption", False),
            running=lambda: self.running,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    # What the listener asks of a host.

    def is_up(self) -> bool:
        return self.up

    def fault(self) -> Fault | None:
        return self.faults.pop(0) if self.faults else None

    def count_sql(self, what: str, *, bytes_in: int, bytes_out: int) -> None:
        assert bytes_in >= 0
        assert bytes_out >= 0
        self.counted[what] += 1

    # What tests do.

    def start(self) -> SqlLab:
        self._thread.start()
        self.call(self.servers.start())
        return self

    def stop(self) -> None:
        self.call(self.servers.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def refresh(self) -> None:
        async def whole() -> None:
            self.servers.refresh(self.address)
            await asyncio.sleep(0.01)

        self.call(whole())

    def connect(self, **options: Any) -> pymssql.Connection:
        wanted: dict[str, Any] = {
            "server": self.address,
            "port": str(self.port),
            "user": "sa",
            "password": PASSWORD,
            "database": "exam",
            "login_timeout": 10,
            "timeout": 20,
        }
        link: pymssql.Connection = pymssql.connect(**(wanted | options))
        return link

    def url(self, database: str = "exam") -> str:
        return f"mssql+pymssql://sa:{PASSWORD}@{self.address}:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"drill{len(self.instance.databases)}"

        async def make() -> None:
            self.instance.attach(name, collation="Chinese_PRC_CI_AS")

        self.call(make())
        return self.url(name)
