"""Functions whose answer depends on the session and its server: importing registers them.

Source: "System functions", "Metadata functions", "Security functions" (Transact-SQL reference).
"""

from __future__ import annotations

from winlab.sqlserver.functions import add, text_of
from winlab.sqlserver.types import INT, VARIANT, SqlType, decimal

_SYSNAME = text_of(128)
for _name, _low, _high, _kind in (
    ("db_name", 0, 1, _SYSNAME),
    ("db_id", 0, 1, SqlType("smallint")),
    ("schema_name", 0, 1, _SYSNAME),
    ("schema_id", 0, 1, INT),
    ("suser_sname", 0, 1, _SYSNAME),
    ("suser_name", 0, 1, _SYSNAME),
    ("system_user", 0, 0, _SYSNAME),
    ("original_login", 0, 0, _SYSNAME),
    ("user_name", 0, 1, _SYSNAME),
    ("current_user", 0, 0, _SYSNAME),
    ("user", 0, 0, _SYSNAME),
    ("host_name", 0, 0, _SYSNAME),
    ("app_name", 0, 0, _SYSNAME),
    ("serverproperty", 1, 1, VARIANT),
    ("databasepropertyex", 2, 2, VARIANT),
    ("object_id", 1, 2, INT),
    ("object_name", 1, 2, _SYSNAME),
    ("object_schema_name", 1, 2, _SYSNAME),
    ("type_name", 1, 1, _SYSNAME),
    ("col_length", 2, 2, SqlType("smallint")),
    ("scope_identity", 0, 0, decimal(38, 0)),
    ("ident_current", 1, 1, decimal(38, 0)),
    ("error_number", 0, 0, INT),
    ("error_severity", 0, 0, INT),
    ("error_state", 0, 0, INT),
    ("error_line", 0, 0, INT),
    ("error_procedure", 0, 0, _SYSNAME),
    ("error_message", 0, 0, text_of(4000)),
    ("xact_state", 0, 0, SqlType("smallint")),
    ("is_srvrolemember", 1, 2, INT),
    ("is_member", 1, 1, INT),
    ("is_rolemember", 1, 2, INT),
    ("has_dbaccess", 1, 1, INT),
    ("connectionproperty", 1, 1, VARIANT),
):
    add(
        _name,
        _low,
        _high,
        _kind,
        lambda session, *cells, what=_name: session.ask(what, *cells),
        kinds="i" if _name in {"object_name", "object_schema_name", "type_name"} else "a",
        session=True,
    )


add("newid", 0, 0, SqlType("uniqueidentifier"), lambda session: session.new_guid(), session=True)
