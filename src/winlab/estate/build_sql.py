"""SQL Server on a host: services, registry, folders, and the instance with its logins and databases.

Sources: "File Locations for Default and Named Instances of SQL Server", "Configure a Server to Listen on a
Specific TCP Port" (registry), "MSSQLSERVER_18456" (the reasons in the error log) (Microsoft Learn).
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from winlab.estate.errors import EstateError
from winlab.estate.schema import HostSpec
from winlab.estate.schema_sql import SqlSpec
from winlab.host.events import unnamed
from winlab.host.host import Host
from winlab.host.network import Listener
from winlab.host.services import Service
from winlab.sqlserver.events import Said
from winlab.sqlserver.instance import Instance, Login, LoginFailed
from winlab.sqlserver.product import PRODUCTS, Product, dotted
from winlab.sqlserver.session import Client, drive

_KEY = "HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server"
_AUDIT_FAILURE = 0x90000000000000
_STATES = {
    "Could not find a login": 5,
    "Password did not match": 8,
    "The account is disabled": 7,
    "An attempt to login": 58,
    "Failed to open": 38,
}


def sql_spec(spec: HostSpec) -> SqlSpec | None:
    """What an estate says of SQL Server; the role alone means one that only the lab's hosts reach."""
    if spec.sql is not None:
        return spec.sql
    return SqlSpec(remote=False) if spec.role == "sql-server-2008" else None


_TOOLS = "C:\\Program Files\\Microsoft SQL Server\\Client SDK\\ODBC\\130\\Tools\\Binn"


def add_sql_tools(host: Host) -> None:
    """Install sqlcmd where "sqlcmd utility" says that it is, and put it on the path."""
    host.files.ensure_folder(_TOOLS)
    host.files.write(f"{_TOOLS}\\SQLCMD.EXE", b"MZ")
    if _TOOLS not in host.environment["Path"]:
        host.environment["Path"] += f";{_TOOLS}"


def add_sql_server(host: Host, spec: HostSpec, password: str, admin: str, file: str) -> None:
    """Install an instance; the caller exempts these writes from the guard. `EstateError` for a bad script."""
    sql = sql_spec(spec)
    if sql is None:
        return
    product = PRODUCTS[sql.version]
    if sql.tls12 and product.build < product.tls12:
        product = replace(product, build=product.tls12)
    short = f"{product.folder}.{sql.instance}"
    root = f"C:\\Program Files\\Microsoft SQL Server\\{short}\\MSSQL"
    host.files.ensure_folder(f"{root}\\DATA")
    host.files.ensure_folder(f"{root}\\Log")
    add_sql_tools(host)
    service = service_of(sql)
    _services(host, sql, root, service)
    host.network.listen(Listener(port=sql.port, service=service))
    host.registry.set_value(f"{_KEY}\\Instance Names\\SQL", sql.instance, short)
    values = {
        "Edition": f"{spec.sql_edition} Edition",
        "Version": dotted(product.build),
        "PatchLevel": dotted(product.build),
        "SQLPath": root,
    }
    for name, value in values.items():
        host.registry.set_value(f"{_KEY}\\{short}\\Setup", name, value)
    tcp = f"{_KEY}\\{short}\\MSSQLServer\\SuperSocketNetLib\\Tcp\\IPAll"
    host.registry.set_value(tcp, "TcpPort", str(sql.port))
    instance = _instance(host, spec, sql, product, f"{root}\\Log\\ERRORLOG", admin)
    instance.mixed_mode = sql.mixed_mode
    instance.logins["sa"] = Login("sa", password, sysadmin=True)
    for one in sql.logins:
        instance.logins[one.name.lower()] = Login(
            one.name,
            one.password if one.password is not None else password,
            sysadmin=one.sysadmin or one.name.lower() == "sa",
            roles={name.lower(): role for name, role in one.databases.items()},
            disabled=one.disabled,
        )
    _databases(instance, spec, sql, file)
    host.attach_sql(instance)


def service_of(sql: SqlSpec) -> str:
    """The service's name: MSSQLSERVER, or MSSQL$ and the instance's."""
    return "MSSQLSERVER" if sql.instance.upper() == "MSSQLSERVER" else f"MSSQL${sql.instance}"


def _services(host: Host, sql: SqlSpec, root: str, engine: str) -> None:
    named = engine != "MSSQLSERVER"
    agent = f"SQLAgent${sql.instance}" if named else "SQLSERVERAGENT"
    services = (
        (engine, f"SQL Server ({sql.instance})", "sqlservr.exe", "auto", True),
        (agent, f"SQL Server Agent ({sql.instance})", "SQLAGENT.EXE", "auto", True),
        # Setup starts the browser for named instances alone ("SQL Server Browser service").
        (
            "SQLBrowser",
            "SQL Server Browser",
            "sqlbrowser.exe",
            "auto" if named else "disabled",
            named,
        ),
        ("SQLWriter", "SQL Server VSS Writer", "sqlwriter.exe", "auto", True),
    )
    for number, (name, display, program, mode, running) in enumerate(services):
        host.services.put(
            Service(
                name=name,
                display_name=display,
                start_mode="auto" if mode == "auto" else "disabled",
                state="started" if running else "stopped",
                account="NT AUTHORITY\\NETWORK SERVICE",
                path=f'"{root}\\Binn\\{program}" -s{sql.instance}',
                dependencies=(engine,) if name == agent else (),
                process_id=1800 + 4 * number if running else 0,
                exit_code=0 if running else 1077,
            )
        )


def _instance(
    host: Host, spec: HostSpec, sql: SqlSpec, product: Product, log: str, admin: str
) -> Instance:
    def failed(told: LoginFailed) -> None:
        _login_failed(host, sql, log, told)

    def windows_login(account: str) -> Login | None:
        # assumed: setup named the administrators of the host as sysadmin, and a workgroup's accounts of
        # the same name and password pass.
        bare = account.rpartition("\\")[2]
        if bare.lower() != admin.lower() or not host.accounts.is_admin(bare):
            return None
        return Login(f"{host.name}\\{bare}", sysadmin=True, windows=True)

    return Instance(
        product,
        host.name,
        name=sql.instance,
        edition=f"{spec.sql_edition} Edition (64-bit)",
        collation=sql.collation,
        now=lambda: _local(host),
        utc_now=lambda: host.now().replace(tzinfo=None),
        new_guid=lambda: host.ids.guid().strip("{}").upper(),
        windows_login=windows_login,
        not_modelled=host.not_modelled,
        login_failed=failed,
        wrote=host.guard.write,
    )


def _local(host: Host) -> datetime:
    return (host.now() + timedelta(minutes=host.clock.zone.minutes)).replace(tzinfo=None)


def _login_failed(host: Host, sql: SqlSpec, log: str, told: LoginFailed) -> None:
    """Event 18456 in the Application log, and two lines in ERRORLOG."""
    text = f" Reason: {told.reason}"
    state = next((number for head, number in _STATES.items() if told.reason.startswith(head)), 1)
    with host.guard.exempt():
        host.eventlogs.log(
            "Application",
            service_of(sql),
            18456,
            level=4,
            task=4,
            keywords=_AUDIT_FAILURE,
            qualifiers=0xC000,
            data=unnamed(told.user, text, f" [CLIENT: {told.client}]"),
        )
        at = _local(host)
        stamp = f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 10000:02d} Logon       "
        said = f"Login failed for user '{told.user}'.{text} [CLIENT: {told.client}]"
        lines = f"{stamp}Error: 18456, Severity: 14, State: {state}.\r\n{stamp}{said}\r\n"
        fresh = not host.files.is_file(log)
        data = ("\ufeff" if fresh else "") + lines
        host.files.write(log, data.encode("utf-16-le"), append=not fresh)


def _databases(instance: Instance, spec: HostSpec, sql: SqlSpec, file: str) -> None:
    for one in sql.databases:
        key = f"hosts[{spec.name}].sql.databases[{one.name}]"
        if one.name.lower() in instance.databases:
            raise EstateError(file, key, "is there twice", "give every database its own name")
        database = instance.attach(one.name, collation=one.collation)
        if one.script:
            _run_script(instance, one.name, one.script, file, f"{key}.script")
        database.online = one.online


def _run_script(instance: Instance, database: str, script: str, file: str, key: str) -> None:
    session = instance.log_in_as(Login("sa", sysadmin=True), database, Client())
    try:
        for batch in re.split(r"(?im)^[ \t]*GO[ \t]*$", script):
            for event in drive(session.batch(batch)):
                if isinstance(event, Said) and event.severity > 10:
                    raise EstateError(
                        file,
                        key,
                        f"Msg {event.number}, line {event.line}: {event.text}",
                        "correct the script",
                    )
    finally:
        session.close()
