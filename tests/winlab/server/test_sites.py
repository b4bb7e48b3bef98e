"""IIS sites answer real HTTP and HTTPS, and log as IIS 10 does."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from winlab.host.certificates import Certificate
from winlab.host.host import Host, HostSpec
from winlab.host.iis import AppPool, Binding, Site
from winlab.host.image.services import iis_services
from winlab.server.errors import LabError
from winlab.server.site_tls import SiteCa
from winlab.server.sites import Sites

NOW = datetime(2026, 11, 22, 23, 59, 50, tzinfo=UTC)
ADDRESS = "127.77.3.9"
LOG = "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex261122.log"
T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


class Web:
    """A host with one site on HTTP and HTTPS."""

    def __init__(self, locale: str = "en-US") -> None:
        self.http, self.https = free_port(), free_port()
        self.host = Host(HostSpec(name="web-01", locale=locale), lambda: NOW)
        self.ca = SiteCa(NOW)
        week = timedelta(days=7)
        issued = self.ca.issue(
            "web.lab", (), ADDRESS, datetime.now(UTC) - week, datetime.now(UTC) + week
        )
        certificate = Certificate(der=issued.der, key_container="k")
        for service in iis_services(self.host.locale):
            self.host.services.put(service)
        self.host.iis.installed = True
        self.host.iis.put_pool(AppPool(name="Main"))
        self.host.iis.put_site(
            Site(
                name="Main",
                id=1,
                pool="Main",
                bindings=(
                    Binding(information=f"*:{self.http}:"),
                    Binding(
                        protocol="https",
                        information=f"*:{self.https}:",
                        thumbprint=certificate.thumbprint,
                        store="My",
                    ),
                ),
            )
        )
        self.host.files.ensure_folder("C:\\inetpub\\wwwroot\\docs")
        self.host.files.write("C:\\inetpub\\wwwroot\\index.html", "<h1>你好</h1>".encode())
        self.host.guard.reset()
        self.up = True
        self.sites = Sites(lambda: NOW)
        self.sites.add(ADDRESS, self.host, {certificate.thumbprint: issued}, lambda: self.up)

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        async def whole() -> T:
            await self.sites.start()
            try:
                return await work()
            finally:
                await self.sites.stop()

        return asyncio.run(whole())

    async def get(
        self, path: str, *, method: str = "GET", headers: str = "", tls: bool = False
    ) -> tuple[str, dict[str, str], bytes]:
        context = ssl.create_default_context(cadata=self.ca.pem.decode()) if tls else None
        reader, writer = await asyncio.open_connection(
            ADDRESS, self.https if tls else self.http, ssl=context
        )
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nConnection: close\r\n{headers}\r\n".encode()
        )
        raw = await reader.read()
        writer.close()
        head, _, body = raw.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return status, dict(line.split(": ", 1) for line in lines), body

    def log_lines(self) -> list[str]:
        return self.host.files.read(LOG).decode().split("\r\n")[4:-1]


@pytest.fixture
def web() -> Web:
    return Web()


def test_a_file_is_served_and_logged_in_the_fields_of_iis_10(web: Web) -> None:
    agent = "User-Agent: curl x/8\r\nReferer: http://a/b\r\n"
    status, headers, body = web.run(lambda: web.get("/?q=1%27", headers=agent))
    assert (status, body.decode()) == ("HTTP/1.1 200 OK", "<h1>你好</h1>")
    assert headers["Server"] == "Microsoft-IIS/10.0"
    assert headers["Date"] == "Sun, 22 Nov 2026 23:59:50 GMT"
    text = web.host.files.read(LOG).decode()
    assert text.startswith(
        "#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n"
        "#Date: 2026-11-22 23:59:50\r\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query "
        "s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus "
        "sc-win32-status time-taken\r\n"
    )
    line = web.log_lines()[0].rpartition(" ")[0]
    assert line == (
        f"2026-11-22 23:59:50 10.0.0.10 GET / q=1%27 {web.http} - 127.0.0.1 curl+x/8 http://a/b 200 0 0"
    )
    assert web.host.guard.writes == 0


def test_https_presents_the_bound_certificate(web: Web) -> None:
    status, _, _ = web.run(lambda: web.get("/index.html", tls=True))
    assert status == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("path", "method", "status", "logged"),
    [
        ("/none.html", "GET", "HTTP/1.1 404 Not Found", "404 0 2"),
        ("/docs/", "GET", "HTTP/1.1 403 Forbidden", "403 14 5"),
        ("/web.config", "GET", "HTTP/1.1 404 Not Found", "404 0 2"),
        ("/../../Windows/win.ini", "GET", "HTTP/1.1 404 Not Found", "404 0 123"),
        ("/index.html", "POST", "HTTP/1.1 405 Method Not Allowed", "405 0 1"),
        ("/index.html", "HEAD", "HTTP/1.1 200 OK", "200 0 0"),
    ],
)
def test_status_substatus_and_win32_code_are_those_of_iis(
    web: Web, path: str, method: str, status: str, logged: str
) -> None:
    got, _, body = web.run(lambda: web.get(path, method=method))
    assert got == status
    assert f" {logged} " in web.log_lines()[0]
    if method == "HEAD":
        assert body == b""


def test_an_error_page_speaks_the_host_s_language() -> None:
    web = Web("zh-CN")
    _, _, body = web.run(lambda: web.get("/none.html"))
    assert "404 - 找不到文件或目录。" in body.decode("gb2312")


def test_a_stopped_pool_is_503_from_http_sys_and_in_no_site_log(web: Web) -> None:
    web.host.iis.stop_pool("Main")
    status, headers, body = web.run(lambda: web.get("/"))
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert headers["Server"] == "Microsoft-HTTPAPI/2.0"
    assert b"<p>HTTP Error 503. The service is unavailable.</p>" in body
    assert not web.host.files.exists(LOG)
    errors = web.host.files.read("C:\\Windows\\System32\\LogFiles\\HTTPERR\\httperr1.log")
    assert b" GET / - 503 1 AppOffline Main\r\n" in errors


def test_a_host_name_that_no_binding_has_is_400_from_http_sys(web: Web) -> None:
    site = web.host.iis.site("Main")
    web.host.iis.put_site(replace(site, bindings=(Binding(information=f"*:{web.http}:www.lab"),)))
    status, _, body = web.run(lambda: web.get("/"))
    assert status == "HTTP/1.1 400 Bad Request"
    assert b"HTTP Error 400. The request hostname is invalid." in body


def test_sockets_follow_the_state_of_site_service_and_host(web: Web) -> None:
    async def refused() -> bool:
        web.sites.refresh(ADDRESS)
        await asyncio.sleep(0.02)
        try:
            await web.get("/")
        except ConnectionRefusedError:
            return True
        return False

    async def story() -> list[bool]:
        seen = [await refused()]
        web.host.iis.stop_site("Main")
        seen.append(await refused())
        web.host.iis.start_site("Main")
        seen.append(await refused())
        web.host.services.stop("W3SVC")
        seen.append(await refused())
        web.host.services.start("W3SVC")
        seen.append(await refused())
        web.up = False
        seen.append(await refused())
        return seen

    assert web.run(story) == [False, True, False, True, False, True]


def test_a_taken_port_is_named(web: Web) -> None:
    with socket.socket() as other:
        other.bind((ADDRESS, web.http))
        other.listen()
        with pytest.raises(LabError, match=rf"^WEB-01 cannot listen on {ADDRESS}:{web.http} \("):
            web.run(lambda: web.get("/"))


def test_garbage_gets_400_and_the_site_lives_on(web: Web) -> None:
    async def story() -> tuple[bytes, str]:
        reader, writer = await asyncio.open_connection(ADDRESS, web.http)
        writer.write(b"\x16\x03\x01 no http\r\n\r\n")
        raw = await reader.read()
        writer.close()
        return raw, (await web.get("/"))[0]

    raw, status = web.run(story)
    assert raw.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert status == "HTTP/1.1 200 OK"


def test_a_connection_carries_several_requests(web: Web) -> None:
    async def story() -> int:
        reader, writer = await asyncio.open_connection(ADDRESS, web.http)
        count = 0
        for _ in range(3):
            writer.write(f"GET / HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            count += 1
        writer.close()
        return count

    assert web.run(story) == 3
    assert len(web.log_lines()) == 3
