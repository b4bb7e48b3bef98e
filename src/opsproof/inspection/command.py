"""The one cmd.exe line with which an inspection reads a host.

Every step prints a marker line and says whether it succeeded, so that one long output can be
split again (:mod:`opsproof.inspection.batch`). Only tools that every Windows Server from 2016 to 2022
ships are used, and only in forms whose output does not depend on the display language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opsproof.errors import UsageError

MARKER = "##opsproof:"
"""Begins every line that the command prints for the parser."""

MAX_LINE = 8191
"""Longest command line of cmd.exe in characters (Microsoft: "Command prompt line string limitation")."""

LAST = "exit 0"
"""Ends the line: each step has said whether it succeeded, another code means that cmd.exe failed."""

_STORES = ("MY", "WebHosting")

# Windows refuses a longer chain of conditions in one XPath filter ("The specified query is invalid"):
# assumed, from practice with Event Viewer, which writes at most 22 ids into one Select.
_MAX_EVENT_IDS = 20
_MAX_DAYS = 31


@dataclass(frozen=True, kw_only=True)
class LogExport:
    """Which events of one channel are brought home: levels (1 critical, 2 error ...) or ids."""

    channel: str
    levels: tuple[int, ...] = ()
    event_ids: tuple[int, ...] = ()


def inspection_command(
    *,
    asked_at: datetime,
    since: datetime,
    until: datetime,
    exports: Sequence[LogExport],
    w3c_root: str,
    scratch: str,
    collect_logs: bool,
) -> str:
    """One line for ``cmd.exe /c`` that reads everything an inspection needs.

    ``asked_at``, now on the controller, comes back in the answer. ``since`` and ``until`` bound the
    events (UTC, inclusive and exclusive). ``w3c_root`` is the folder above the sites' W3C log
    folders, ``scratch`` the folder for exports, which may hold %VARIABLES%.
    Without ``collect_logs`` (check mode) nothing is written on the host.

    Raises :class:`UsageError` when a value cannot stand in a command line or the line grows longer
    than cmd.exe reads.
    """
    for name, value in (("inspection_w3c_root", w3c_root), ("inspection_scratch", scratch)):
        if not value or any(char in value for char in '"&|<>^\r\n'):
            raise UsageError(
                f"{value!r} cannot stand in a command line",
                where=name,
                remedy="give a plain Windows path",
            )
    steps = [
        asked(asked_at),
        *_state_steps(),
        *(_loginfo_step(export.channel) for export in exports),
    ]
    if collect_logs:
        steps += _export_steps(since, until, exports, w3c_root, scratch)
    line = " & ".join((*steps, LAST))
    if len(line) > MAX_LINE:
        raise UsageError(
            f"the inspection command has {len(line)} characters, cmd.exe reads {MAX_LINE}",
            where="inspection_exports",
            remedy="export fewer channels or event ids",
        )
    return line


def step(section: str, command: str) -> str:
    """One command between markers that name its section and say whether it ended with code 0."""
    return f"echo {MARKER}begin {section} & {command} && echo {MARKER}end ok || echo {MARKER}end failed"


def asked(at: datetime) -> str:
    """Prints when the controller sent the command: one bound of the host's clock offset."""
    return f"echo {MARKER}asked {at.isoformat()}"


def _state_steps() -> list[str]:
    appcmd = r"%windir%\System32\inetsrv\appcmd.exe"
    current = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
    steps = [
        f"(if exist {appcmd} ({step('sites', f'{appcmd} list site /xml')} & "
        f"{step('pools', f'{appcmd} list apppool /xml')}) else echo {MARKER}absent iis)",
        step("connections", "netstat -ano"),
        step(
            "disks",
            # wmic reads its standard input and waits for ever where nothing closes it.
            "wmic logicaldisk where DriveType=3 get DeviceID,FileSystem,FreeSpace,Size /format:csv <nul",
        ),
        step(
            "pending-cbs", rf'reg query "{current}\Component Based Servicing\RebootPending" 2>nul'
        ),
        step(
            "pending-wu",
            rf'reg query "{current}\WindowsUpdate\Auto Update\RebootRequired" 2>nul',
        ),
        step(
            "pending-rename",
            r'reg query "HKLM\SYSTEM\CurrentControlSet\Control\Session Manager" '
            r"/v PendingFileRenameOperations 2>nul",
        ),
        step("time-source", "w32tm /query /source"),
    ]
    steps += [
        step(
            f"certificates {store}",
            rf"reg query HKLM\SOFTWARE\Microsoft\SystemCertificates\{store}\Certificates /s 2>nul",
        )
        for store in _STORES
    ]
    return steps


def _loginfo_step(channel: str) -> str:
    return step(f"log {channel}", f'wevtutil gli "{channel}"')


def _export_steps(
    since: datetime,
    until: datetime,
    exports: Sequence[LogExport],
    w3c_root: str,
    scratch: str,
) -> list[str]:
    names = " ".join(_w3c_names(since, until))
    directives = (
        ".Set CabinetNameTemplate=logs.cab",
        ".Set DiskDirectoryTemplate=",
        ".Set MaxDiskSize=0",
        ".Set CompressionType=MSZIP",
    )
    return [
        # A run that was cut off may have left its folder behind. The parentheses end what `if` and
        # `for` take in: without them that is the whole rest of the line.
        f'(if exist "{scratch}" rd /s /q "{scratch}")',
        f'mkdir "{scratch}"',
        f'cd /d "{scratch}"',
        f"echo {MARKER}scratch {scratch}",
        *(
            step(
                f"export {export.channel}",
                f'wevtutil epl "{export.channel}" "{_file_name(export.channel)}" '
                f'/q:"{event_query(export, since, until)}"',
            )
            for export in exports
        ),
        # http.sys keeps up to 64 KB of log lines in memory.
        step("flush", "netsh http flush logbuffer >nul"),
        # No blank before `&`: echo would write it into the file.
        "(" + "&".join(f"echo {directive}" for directive in directives) + ")>logs.ddf",
        # Not %d and %f: these letters also mean "drive" and "full path" after a tilde.
        '(for %i in (*.evtx) do @echo "%i" "%i">>logs.ddf)',
        f'(for /d %i in ("{w3c_root}\\W3SVC*") do @for %j in ({names}) do '
        f'@if exist "%~j" echo "%~j" "%~nxi_%~nxj">>logs.ddf)',
        step("cabinet", "makecab /F logs.ddf >nul"),
    ]


def _file_name(channel: str) -> str:
    """The channel's file name as Windows itself writes it: a slash becomes %4.

    A percent sign would be read as a variable in the command line, so the slash becomes a dash.
    """
    return channel.replace("/", "-") + ".evtx"


def event_query(export: LogExport, since: datetime, until: datetime) -> str:
    """The XPath filter of ``wevtutil epl /q:`` (Microsoft: "Consuming Events", XPath 1.0 subset)."""
    if len(export.event_ids) > _MAX_EVENT_IDS:
        raise UsageError(
            f"{len(export.event_ids)} event ids; one query takes {_MAX_EVENT_IDS}",
            where=f"inspection_exports, channel {export.channel}",
            remedy="name fewer ids or use levels",
        )
    kinds = [f"Level={level}" for level in export.levels]
    kinds += [f"EventID={event_id}" for event_id in export.event_ids]
    window = f"TimeCreated[@SystemTime>='{_stamp(since)}' and @SystemTime<'{_stamp(until)}']"
    wanted = f"({' or '.join(kinds)}) and {window}" if kinds else window
    return f"*[System[{wanted}]]"


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _w3c_names(since: datetime, until: datetime) -> list[str]:
    """Daily W3C files (``u_exYYMMDD.log``, days in UTC) that the window touches, below ``%i``.

    A window too long to name its days takes all files; the audit looks at the times in them.
    """
    days = (until.date() - since.date()).days + 1
    if days > _MAX_DAYS:
        return ['"%~i\\u_ex*.log"']
    return [f'"%~i\\u_ex{since.date() + timedelta(days=day):%y%m%d}.log"' for day in range(days)]
