from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.signatures.servers import PostgresServer, binaries
from tests.winlab.sql_lab import SqlLab

from opsproof.evidence.keys import Keys, create_demo_keys, load_keys
from opsproof.signatures import lab

NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
FAMILIES = ["rsa", "ecdsa", "sm2"]


class Pki:
    """One authority and one signer of a family."""

    def __init__(self, family: str) -> None:
        self.family = family
        self.ca = lab.authority(f"lab {family} CA", family, serial=1, at=NOW)
        self.signer = self.new_signer(1001)

    def new_signer(self, serial: int, *, begin: int = -400, end: int = 400) -> lab.Signer:
        """``begin`` and ``end`` in days from NOW."""
        key = lab.new_key(self.family)
        certificate = lab.issue(
            f"signer {serial}",
            key,
            self.ca,
            serial=serial,
            not_before=NOW + timedelta(days=begin),
            not_after=NOW + timedelta(days=end),
        )
        return lab.Signer(key, certificate)


_made: dict[str, Pki] = {}


def pki(family: str) -> Pki:
    if family == "sm2":
        pytest.importorskip("gmssl_pyx", reason="the extra sm2 is not installed")
    if family not in _made:
        _made[family] = Pki(family)
    return _made[family]


@pytest.fixture(params=FAMILIES)
def any_pki(request: pytest.FixtureRequest) -> Pki:
    return pki(request.param)


@pytest.fixture(scope="session")
def sql_server() -> Iterator[SqlLab]:
    """SQL Server 2008 as the lab has it, over TDS."""
    lab = SqlLab("2008", address="127.77.4.20").start()
    yield lab
    lab.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Skipped by name where PostgreSQL's server programs are not installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server programs are not installed (apt-get install postgresql)")
    # A socket's path has at most 107 bytes, and another user must be able to reach it.
    folder = Path(tempfile.mkdtemp(prefix="opsproof-pg-", dir="/tmp"))
    server = PostgresServer(folder, programs)
    try:
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def keys_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys") / "keys"
    create_demo_keys(folder, now=NOW)
    return folder


@pytest.fixture(scope="module")
def keys(keys_folder: Path) -> Keys:
    return load_keys(keys_folder)


@pytest.fixture(params=["sqlite", "postgresql", "mssql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.db'}"
    if request.param == "mssql":
        return str(request.getfixturevalue("sql_server").new_database())
    server = request.getfixturevalue("postgres")
    assert isinstance(server, PostgresServer)
    return server.new_database()
