"""Hosts for command tests, and what a line prints on one."""

from __future__ import annotations

from datetime import UTC, datetime

from winlab.commands import run_cmd
from winlab.host.host import Host, HostSpec
from winlab.host.iis import AppPool, Binding, Site
from winlab.host.image.services import iis_services

NOW = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)


def make_host(locale: str = "zh-CN", release: str = "2022", name: str = "web01") -> Host:
    spec = HostSpec(name=name, locale=locale, release=release, admin_password="lab")
    return Host(spec, lambda: NOW)


def with_iis(host: Host) -> Host:
    for service in iis_services(host.locale):
        host.services.put(service)
    host.iis.installed = True
    host.iis.put_pool(AppPool(name="DefaultAppPool"))
    host.iis.put_site(Site(name="Default Web Site", id=1, bindings=(Binding(),)))
    host.files.mkdir("C:\\inetpub\\logs\\LogFiles\\W3SVC1")
    return host


def out(host: Host, line: str, user: str = "Administrator") -> str:
    """What a line prints, newlines as \\n; an error in it fails the test."""
    result = run_cmd(host, line, user=user)
    assert result.stderr == b"", result.stderr.decode()
    return result.stdout.decode().replace("\r\n", "\n")
