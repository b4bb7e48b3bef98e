"""What IIS and http.sys answer to a request, from a host's model; no sockets here.

Sources on Microsoft Learn: "The HTTP status code in IIS" (404.0, 403.14, 405.0), "Error logging in
HTTP APIs" (what http.sys answers itself: 400 Invalid Hostname, 503 AppOffline, and HTTPERR), and
"<defaultDocument>". Log lines are written at once; real http.sys keeps them up to a minute (assumed:
no reader of the lab relies on the delay).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from winlab.host.errors import WindowsError
from winlab.host.host import Host
from winlab.host.iis import Binding, Iis, Site
from winlab.host.w3c import Hit, file_name, log_header, log_line

DEFAULT_DOCUMENTS = ("Default.htm", "Default.asp", "index.htm", "index.html", "iisstart.htm")
_TYPES = {
    "htm": "text/html",
    "html": "text/html",
    "css": "text/css",
    "js": "application/javascript",
    "json": "application/json",
    "txt": "text/plain",
    "xml": "text/xml",
    "png": "image/png",
    "gif": "image/gif",
    "jpg": "image/jpeg",
    "ico": "image/x-icon",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "cer": "application/x-x509-ca-cert",
    "crl": "application/pkix-crl",
}
_REASONS = {
    200: "OK",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Payload Too Large",
    503: "Service Unavailable",
}
_HTTPERR = "C:\\Windows\\System32\\LogFiles\\HTTPERR\\httperr1.log"
_HTTPERR_FIELDS = (
    "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri streamid sc-status s-siteid "
    "s-reason s-queuename"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. Header names are lower-case; ``size`` is the body's length in bytes.

    ``body`` is kept for applications.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    port: int
    secure: bool
    size: int = 0
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer without Date and Content-Length.

    ``log`` writes the log line when the answer is out; it takes the milliseconds that it took.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    log: Callable[[int], None]

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return _REASONS.get(self.status, "Unknown")


def open_endpoints(iis: Iis) -> list[tuple[int, str]]:
    """Return (port, thumbprint) of every socket that started sites need; "" for plain HTTP.

    Several https bindings of one port share a socket: the certificate of the first serves all.
    """
    found: dict[int, str] = {}
    for site, _ in iis.serving():
        for binding in site.bindings:
            found.setdefault(binding.port, binding.thumbprint)
    return sorted(found.items())


def answer(host: Host, request: Request, client: str) -> Reply:
    """Return what the host answers to ``client``; logs name the host's own modelled address."""
    address = host.network.adapters[0].address
    found = _site_for(host, request)
    if found is None:
        return _kernel(host, request, client, address, 400, 0, "Hostname", "Bad Request")
    site, running = found
    if not running:
        return _kernel(host, request, client, address, 503, site.id, "AppOffline", site.pool)
    path, _, query = request.target.partition("?")
    stem = unquote(path)
    served = _serve(host, site, request, stem)
    now = host.now()

    def log(taken_ms: int) -> None:
        if site.log.enabled:
            hit = Hit(
                at=now,
                server=address,
                method=request.method,
                stem=stem,
                query=query,
                port=request.port,
                client=client,
                agent=request.headers.get("user-agent", ""),
                referer=request.headers.get("referer", ""),
                status=served.status,
                substatus=served.substatus,
                win32=served.win32,
                taken_ms=taken_ms,
            )
            _append(host, site, hit)

    headers = (*served.headers, ("Server", "Microsoft-IIS/10.0"), ("X-Powered-By", "ASP.NET"))
    return Reply(status=served.status, headers=headers, body=served.body, log=log)


def _site_for(host: Host, request: Request) -> tuple[Site, bool] | None:
    """Return the site of the request and whether its pool runs; exact host names go first."""
    name = request.headers.get("host", "").rpartition("]")[2].partition(":")[0].lower()
    best: tuple[int, Site, bool] | None = None
    for site, pool in host.iis.serving():
        state = host.iis.pool_state(pool) == "Started"
        for binding in site.bindings:
            score = _score(binding, request, name)
            if score and (best is None or score > best[0]):
                best = (score, site, state)
    return None if best is None else (best[1], best[2])


def _score(binding: Binding, request: Request, name: str) -> int:
    if binding.port != request.port or (binding.protocol == "https") != request.secure:
        return 0
    if not binding.host:
        return 1
    return 2 if binding.host.lower() == name else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a site makes of a request, before IIS adds its own headers."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    substatus: int = 0
    win32: int = 0


def _serve(host: Host, site: Site, request: Request, stem: str) -> Answered:
    application = host.iis.applications.get(site.name)
    answered: Answered | None = application(request, stem) if application is not None else None
    if answered is not None:
        return answered
    root = _expand(host, site.path)
    parts = [part for part in stem.split("/") if part]
    if any(part == ".." or set(part) & set('\\:*?"<>|') for part in parts):
        return _error(host, 404, 0, 123)
    path = "\\".join([root, *parts])
    if host.files.is_folder(path):
        names = [f"{path}\\{name}" for name in DEFAULT_DOCUMENTS]
        document = next((name for name in names if host.files.is_file(name)), None)
        if document is None:
            return _error(host, 403, 14, 5)
        path = document
    if not host.files.is_file(path) or parts[:1] == ["web.config"]:
        return _error(host, 404, 0, 2)
    kind = _TYPES.get(path.rpartition(".")[2].lower())
    if kind is None:
        return _error(host, 404, 3, 50)
    if request.method not in {"GET", "HEAD", "OPTIONS", "TRACE"}:
        served = _error(host, 405, 0, 1)
        allow = ("Allow", "GET, HEAD, OPTIONS, TRACE")
        return Answered(status=405, body=served.body, headers=(allow, *served.headers), win32=1)
    try:
        content = host.files.read(path)
    except WindowsError as exc:
        return _error(host, 404, 0, exc.code)
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}:0"'
    modified = host.files.stat(path).entry.modified.astimezone(UTC)
    headers = (
        ("Content-Type", kind),
        ("Last-Modified", f"{modified:%a, %d %b %Y %H:%M:%S} GMT"),
        ("Accept-Ranges", "bytes"),
        ("ETag", tag),
    )
    if request.headers.get("if-none-match") == tag:
        return Answered(status=304, headers=headers)
    return Answered(status=200, body=content, headers=headers)


def _expand(host: Host, path: str) -> str:
    drive = host.environment.get("SystemDrive", "C:")
    return path.replace("%SystemDrive%", drive).rstrip("\\")


def _error(host: Host, status: int, substatus: int, win32: int) -> Answered:
    """The short page that remote clients get (errorMode DetailedLocalOnly)."""
    title, text = _ERRORS[status][1 if host.locale.chinese else 0]
    encoding = "gb2312" if host.locale.chinese else "iso-8859-1"
    body = (
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\r\n'
        f'<html xmlns="http://www.w3.org/1999/xhtml">\r\n<head>\r\n<meta http-equiv="Content-Type" '
        f'content="text/html; charset={encoding}"/>\r\n<title>{title}</title>\r\n'
        f"</head>\r\n<body>\r\n<h2>{title}</h2>\r\n<h3>{text}</h3>\r\n</body>\r\n</html>\r\n"
    )
    kind = ("Content-Type", "text/html")
    return Answered(
        status=status,
        body=body.encode(encoding, "xmlcharrefreplace"),
        headers=(kind,),
        substatus=substatus,
        win32=win32,
    )


_ERRORS = {
    403: (
        (
            "403 - Forbidden: Access is denied.",
            "You do not have permission to view this directory or page using the credentials "
            "that you supplied.",
        ),
        ("403 - 禁止访问: 访问被拒绝。", "您无权使用所提供的凭据查看此目录或页面。"),
    ),
    404: (
        (
            "404 - File or directory not found.",
            "The resource you are looking for might have been removed, had its name changed, or "
            "is temporarily unavailable.",
        ),
        ("404 - 找不到文件或目录。", "您要查找的资源可能已被删除，已更改名称或者暂时不可用。"),
    ),
    405: (
        (
            "405 - HTTP verb used to access this page is not allowed.",
            "The page you are looking for cannot be displayed because an invalid method (HTTP "
            "verb) was used to attempt access.",
        ),
        (
            "405 - 不允许用于访问此页的 HTTP 谓词。",
            "无法显示您正在查找的页面，因为尝试访问时使用了无效方法(HTTP 谓词)。",
        ),
    ),
}


def _kernel(
    host: Host,
    request: Request,
    client: str,
    address: str,
    status: int,
    site_id: int,
    reason: str,
    queue: str,
) -> Reply:
    """What http.sys answers itself: it names itself in Server and logs to HTTPERR, not to W3C."""
    if status == 503:
        title, text = "Service Unavailable", "HTTP Error 503. The service is unavailable."
    else:
        title = "Bad Request - Invalid Hostname"
        text = "HTTP Error 400. The request hostname is invalid."
    heading = title.partition(" - ")[0] if status == 503 else title
    body = (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN"'
        '"http://www.w3.org/TR/html4/strict.dtd">\r\n'
        f"<HTML><HEAD><TITLE>{title.partition(' - ')[0]}</TITLE>\r\n"
        '<META HTTP-EQUIV="Content-Type" Content="text/html; charset=us-ascii"></HEAD>\r\n'
        f"<BODY><h2>{heading}</h2>\r\n<hr><p>{text}</p>\r\n</BODY></HTML>\r\n"
    ).encode("ascii")
    headers = (
        ("Content-Type", "text/html; charset=us-ascii"),
        ("Server", "Microsoft-HTTPAPI/2.0"),
        ("Connection", "close"),
    )
    now = host.now()

    def log(taken_ms: int) -> None:
        del taken_ms
        _log_error(host, request, client, address, (status, site_id, reason, queue), now)

    return Reply(status=status, headers=headers, body=body, log=log)


def _append(host: Host, site: Site, hit: Hit) -> None:
    folder = _expand(host, site.log_folder)
    _write(host, f"{folder}\\{file_name(hit.at)}", log_line(hit), log_header(hit.at))


def _log_error(
    host: Host,
    request: Request,
    client: str,
    address: str,
    why: tuple[int, int, str, str],
    now: datetime,
) -> None:
    status, site_id, reason, queue = why
    utc = now.astimezone(UTC)
    line = (
        f"{utc:%Y-%m-%d %H:%M:%S} {client} - {address} {request.port} HTTP/1.1 {request.method} "
        f"{request.target} - {status} {site_id or '-'} {reason} "
        f"{queue.replace(' ', '+') if status == 503 else '-'}\r\n"
    )
    header = (
        "#Software: Microsoft HTTP API 2.0\r\n#Version: 1.0\r\n"
        f"#Date: {utc:%Y-%m-%d %H:%M:%S}\r\n#Fields: {_HTTPERR_FIELDS}\r\n"
    )
    _write(host, _HTTPERR, line, header)


def _write(host: Host, path: str, line: str, header: str) -> None:
    """Append to a log as http.sys does: Windows' own work, which the write guard lets pass."""
    with host.guard.exempt():
        host.files.ensure_folder(path.rpartition("\\")[0])
        new = not host.files.exists(path)
        text = header + line if new else line
        try:
            host.files.write(path, text.encode(), append=not new, by_holder="http.sys")
        except WindowsError as exc:
            if exc.code != 112:  # a full disk loses log lines, and the site goes on
                raise
