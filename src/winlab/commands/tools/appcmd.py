"""appcmd.exe. Source: "Getting Started with AppCmd.exe" (Microsoft Learn).

``/text:NAME`` prints one attribute of each object, a line each; names are those of the object's line
or of the configuration below it (``logFile.directory``), variables in values are not expanded.
"""

from __future__ import annotations

from collections.abc import Callable
from xml.sax.saxutils import quoteattr

from winlab.commands.call import Call, program
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.iis import AppPool, Site

_NOT_FOUND = 1168


def _bindings(site: Site) -> str:
    return ",".join(f"{b.protocol}/{b.information}" for b in site.bindings)


def _site_row(call: Call, site: Site) -> tuple[str, list[tuple[str, str]]]:
    state = call.host.iis.site_state(site)
    text = f'SITE "{site.name}" (id:{site.id},bindings:{_bindings(site)},state:{state})'
    return text, [
        ("SITE.NAME", site.name),
        ("SITE.ID", str(site.id)),
        ("bindings", _bindings(site)),
        ("state", state),
    ]


def _pool_row(call: Call, pool: AppPool) -> tuple[str, list[tuple[str, str]]]:
    state = call.host.iis.pool_state(pool)
    text = (
        f'APPPOOL "{pool.name}" (MgdVersion:{pool.runtime},MgdMode:{pool.pipeline},state:{state})'
    )
    return text, [
        ("APPPOOL.NAME", pool.name),
        ("PipelineMode", pool.pipeline),
        ("RuntimeVersion", pool.runtime),
        ("state", state),
    ]


def _app_row(_call: Call, site: Site) -> tuple[str, list[tuple[str, str]]]:
    return f'APP "{site.name}/" (applicationPool:{site.pool})', [
        ("APP.NAME", f"{site.name}/"),
        ("APPPOOL.NAME", site.pool),
        ("SITE.NAME", site.name),
        ("path", "/"),
    ]


def _vdir_row(_call: Call, site: Site) -> tuple[str, list[tuple[str, str]]]:
    return f'VDIR "{site.name}/" (physicalPath:{site.path})', [
        ("VDIR.NAME", f"{site.name}/"),
        ("physicalPath", site.path),
        ("path", "/"),
        ("APP.NAME", f"{site.name}/"),
    ]


def _rows(call: Call, kind: str) -> list[tuple[str, list[tuple[str, str]]]]:
    iis = call.host.iis
    if kind == "site":
        return [_site_row(call, s) for s in iis.sites()]
    if kind == "apppool":
        return [_pool_row(call, p) for p in iis.pools()]
    if kind == "app":
        return [_app_row(call, s) for s in iis.sites()]
    if kind == "vdir":
        return [_vdir_row(call, s) for s in iis.sites()]
    raise NotModelledError(f"appcmd list {kind}")


def _site_attribute(site: Site, name: str) -> str | None:
    """An attribute of a site for /text:, or None; words as in "<site>" and "<logFile>"."""
    log = site.log
    known = {
        "id": str(site.id),
        "name": site.name,
        "serverautostart": str(site.auto_start).lower(),
        "logfile.enabled": str(log.enabled).lower(),
        "logfile.directory": log.directory,
        "logfile.logformat": log.format,
        "logfile.period": log.period,
        "logfile.localtimerollover": str(log.local_time_rollover).lower(),
        "logfile.logextfileflags": log.fields.replace(",", ", "),
    }
    return known.get(name.lower())


def _text(call: Call, kind: str, name: str, wanted: str | None) -> int:
    if kind != "site":
        raise NotModelledError(f"appcmd list {kind} /text:{name}")
    for site in call.host.iis.sites():
        if wanted is None or site.name.lower() == wanted.lower():
            value = _site_attribute(site, name)
            if value is None:
                raise NotModelledError(f"appcmd list site /text:{name}")
            call.line(value)
    return 0


def _config(call: Call, args: list[str]) -> int:
    """``list config /section:system.applicationHost/log``: the section as XML.

    What has its default is left out, as in applicationHost.config of a fresh installation ("<log>").
    """
    sections = [a.partition(":")[2] for a in args if a.lower().lstrip("-/").startswith("section:")]
    if len(args) != 1 or sections != ["system.applicationHost/log"]:
        raise NotModelledError(f"appcmd list config {' '.join(args)}".strip())
    log = call.host.iis.central_log
    mode = "" if log.mode == "Site" else f" centralLogFileMode={quoteattr(log.mode)}"
    place = quoteattr(log.directory)
    call.line("<system.applicationHost>")
    call.line(f"  <log{mode}>")
    call.line(f'    <centralBinaryLogFile enabled="true" directory={place} />')
    call.line(f'    <centralW3CLogFile enabled="true" directory={place} />')
    call.line("  </log>")
    call.line("</system.applicationHost>")
    return 0


def _error(call: Call, text: str, code: int) -> int:
    call.line(f"ERROR ( message:{text} )")
    return code


def _list(call: Call, kind: str, args: list[str]) -> int:
    if kind == "config":
        return _config(call, args)
    as_xml = False
    text: str | None = None
    wanted: str | None = None
    filters: list[tuple[str, str]] = []
    for arg in args:
        low = arg.lower()
        if low in {"/xml", "-xml", "/xml+"}:
            as_xml = True
        elif low.startswith(("/text:", "-text:")) and low[6:] != "*":
            text = arg[6:]
        elif low.startswith(("/text:", "-text:", "/config", "/processed")):
            raise NotModelledError(f"appcmd list {arg}")
        elif low.startswith(("/", "-")):
            name, colon, value = arg[1:].partition(":")
            if not colon:
                return _error(call, f'Unknown attribute "{name}".', 87)
            filters.append((name.lower(), value))
        else:
            wanted = arg
    if text is not None:
        return _text(call, kind, text, wanted)
    rows = _rows(call, kind)
    if wanted is not None:
        rows = [r for r in rows if r[1][0][1].rstrip("/").lower() == wanted.rstrip("/").lower()]
    for name, value in filters:
        known = [k.lower() for k, _ in rows[0][1]] if rows else []
        full = next((k for k in known if name in {k, k.rpartition(".")[2]}), None)
        if rows and full is None:
            raise NotModelledError(f"appcmd list {kind} /{name}")
        rows = [r for r in rows if any(k.lower() == full and v == value for k, v in r[1])]
    if as_xml:
        call.line('<?xml version="1.0" encoding="UTF-8"?>')
        call.line("<appcmd>")
        for _, pairs in rows:
            inside = " ".join(f"{k}={quoteattr(v)}" for k, v in pairs)
            call.line(f"    <{kind.upper()} {inside} />")
        call.line("</appcmd>")
    else:
        for text, _ in rows:
            call.line(text)
    # appcmd ends with 1 when a named object is not there
    return 1 if wanted is not None and not rows else 0


def _target(args: list[str]) -> str | None:
    for arg in args:
        low = arg.lower()
        if low.startswith(("/site.name:", "/apppool.name:")):
            return arg.partition(":")[2]
        if not low.startswith("/"):
            return arg
    return None


def _switch(call: Call, verb: str, kind: str, args: list[str]) -> int:
    name = _target(args)
    if name is None:
        return _error(call, "Must specify the object identifier.", 87)
    iis = call.host.iis
    actions: dict[tuple[str, str], Callable[[str], object]] = {
        ("start", "site"): iis.start_site,
        ("stop", "site"): iis.stop_site,
        ("start", "apppool"): iis.start_pool,
        ("stop", "apppool"): iis.stop_pool,
    }
    if verb == "recycle" and kind == "apppool":
        pool = iis.pool(name)
        if iis.pool_state(pool) != "Started":
            text = f'The application pool "{pool.name}" is not running.'
            return _error(call, text, 1062)
        call.host.writing(f"iis pool {pool.name}: recycle")
        call.line(f'"{pool.name}" successfully recycled')
        return 0
    action = actions.get((verb, kind))
    if action is None:
        raise NotModelledError(f"appcmd {verb} {kind}")
    try:
        action(name)
    except WindowsError as exc:
        if exc.code == 2:
            text = f'Cannot find {kind.upper()} object with identifier "{name}".'
            return _error(call, text, _NOT_FOUND)
        return _error(call, call.message(exc.code), exc.code)
    call.line(f'"{name}" successfully {"started" if verb == "start" else "stopped"}.')
    return 0


@program("appcmd")
def appcmd(call: Call) -> int:
    """List, start and stop sites and application pools."""
    if not call.admin:
        text = "Cannot read configuration file due to insufficient permissions"
        call.line("ERROR ( hresult:80070005, message:Failed to process input.")
        call.line(f"{text}")
        call.line(" )")
        return 5
    words = list(call.args)
    if len(words) < 2:
        raise NotModelledError("appcmd's help")
    verb, kind = words[0].lower(), words[1].lower()
    aliases = {"sites": "site", "apppools": "apppool", "apps": "app", "vdirs": "vdir"}
    kind = aliases.get(kind, kind)
    if verb == "list":
        return _list(call, kind, words[2:])
    if verb in {"start", "stop", "recycle"}:
        return _switch(call, verb, kind, words[2:])
    raise NotModelledError(f"appcmd {verb}")
