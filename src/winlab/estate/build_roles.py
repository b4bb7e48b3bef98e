"""What a role adds to a fresh server: IIS. SQL Server is in `winlab.estate.build_sql`."""

from __future__ import annotations

from winlab.estate.build_sql import add_sql_tools
from winlab.estate.schema import HostSpec
from winlab.host.host import Host
from winlab.host.image.services import iis_services


def add_role(host: Host, spec: HostSpec) -> None:
    """Give ``host`` what its role needs; the caller exempts these writes from the guard."""
    if spec.role == "web" or spec.iis is not None:
        _web_server(host)
    if spec.role == "management":
        add_sql_tools(host)


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
