"""What an estate says about SQL Server: an instance, its logins, its databases."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from winlab.estate.spec import Spec

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
SqlName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_ #$@-]{0,127}$")]
Collation = Literal[
    "SQL_Latin1_General_CP1_CI_AS",
    "Latin1_General_CI_AS",
    "Latin1_General_CS_AS",
    "Latin1_General_BIN2",
    "Chinese_PRC_CI_AS",
    "Chinese_PRC_CS_AS",
    "Chinese_PRC_BIN2",
]


class SqlLoginSpec(Spec, frozen=True, kw_only=True):
    """A SQL Server login; without ``password`` it has that of the lab. ``databases`` give it a role each."""

    name: SqlName
    password: str | None = None
    sysadmin: bool = False
    disabled: bool = False
    databases: dict[str, Literal["reader", "writer", "owner"]] = msgspec.field(default_factory=dict)


class SqlDatabaseSpec(Spec, frozen=True, kw_only=True):
    """A database. ``script`` is Transact-SQL that fills it at the start, with GO between batches."""

    name: SqlName
    collation: Collation | None = None
    online: bool = True
    script: str = ""


class SqlSpec(Spec, frozen=True, kw_only=True):
    """One instance of SQL Server that speaks TDS.

    ``tls12`` installs the update that brought TLS 1.2 to 2008 and 2008 R2; without ``remote`` only other
    hosts of the lab reach it. ``sa`` has the lab's password unless a login of that name says otherwise.
    """

    version: Literal["2008", "2008R2", "2012", "2014", "2016", "2019", "2022"] = "2008"
    instance: Annotated[str, msgspec.Meta(pattern="^[A-Za-z_][A-Za-z0-9_$]{0,15}$")] = "MSSQLSERVER"
    port: Port = 1433
    remote: bool = True
    tls12: bool = False
    force_encryption: bool = False
    mixed_mode: bool = True
    collation: Collation = "SQL_Latin1_General_CP1_CI_AS"
    logins: tuple[SqlLoginSpec, ...] = ()
    databases: tuple[SqlDatabaseSpec, ...] = ()
