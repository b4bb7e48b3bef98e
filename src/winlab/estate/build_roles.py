"""What a role adds to a fresh server: IIS, SQL Server 2008, a management host's tools."""

from __future__ import annotations

from winlab.estate.schema import HostSpec
from winlab.host.host import Host
from winlab.host.image.services import iis_services
from winlab.host.network import Listener
from winlab.host.services import Service

_SQL_ROOT = "C:\\Program Files\\Microsoft SQL Server\\MSSQL10.MSSQLSERVER\\MSSQL"
_SQL_KEY = "HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server"
_SQL_VERSION = "10.0.6000.29"  # SQL Server 2008 SP4, the last: support.microsoft.com KB2979596


def add_role(host: Host, spec: HostSpec) -> None:
    """Give ``host`` what its role needs; the caller exempts these writes from the guard."""
    if spec.role == "web" or spec.iis is not None:
        _web_server(host)
    if spec.role == "sql-server-2008":
        _sql_server(host, spec.sql_edition)


def _web_server(host: Host) -> None:
    """Microsoft: "Install IIS": role Web-Server with management tools."""
    for service in iis_services(host.locale):
        host.services.put(service)
    host.iis.installed = True
    for folder in ("C:\\inetpub\\wwwroot", "C:\\inetpub\\logs\\LogFiles", "C:\\inetpub\\temp"):
        host.files.ensure_folder(folder)
    host.files.ensure_folder("C:\\Windows\\System32\\inetsrv\\config")
    for name in ("appcmd.exe", "w3wp.exe", "InetMgr.exe"):
        path = f"C:\\Windows\\System32\\inetsrv\\{name}"
        if not host.files.exists(path):
            host.files.write(path, b"MZ")
    host.registry.set_value("HKLM\\SOFTWARE\\Microsoft\\InetStp", "MajorVersion", 10)
    host.registry.set_value("HKLM\\SOFTWARE\\Microsoft\\InetStp", "MinorVersion", 0)


def _sql_server(host: Host, edition: str) -> None:
    """Microsoft: "File Locations for Default and Named Instances of SQL Server" (2008)."""
    host.files.ensure_folder(f"{_SQL_ROOT}\\DATA")
    host.files.ensure_folder(f"{_SQL_ROOT}\\Log")
    services = (
        ("MSSQLSERVER", "SQL Server (MSSQLSERVER)", "sqlservr.exe", "auto", True),
        ("SQLSERVERAGENT", "SQL Server Agent (MSSQLSERVER)", "SQLAGENT.EXE", "auto", True),
        ("SQLBrowser", "SQL Server Browser", "sqlbrowser.exe", "disabled", False),
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
                path=f'"{_SQL_ROOT}\\Binn\\{program}" -sMSSQLSERVER',
                dependencies=("MSSQLSERVER",) if name == "SQLSERVERAGENT" else (),
                process_id=1800 + 4 * number if running else 0,
                exit_code=0 if running else 1077,
            )
        )
    host.network.listen(Listener(port=1433, service="MSSQLSERVER"))
    host.registry.set_value(
        f"{_SQL_KEY}\\Instance Names\\SQL", "MSSQLSERVER", "MSSQL10.MSSQLSERVER"
    )
    setup = f"{_SQL_KEY}\\MSSQL10.MSSQLSERVER\\Setup"
    values = {
        "Edition": f"{edition} Edition",
        "Version": _SQL_VERSION,
        "PatchLevel": _SQL_VERSION,
        "SQLPath": _SQL_ROOT,
    }
    for name, value in values.items():
        host.registry.set_value(setup, name, value)
