"""The first command: channels, their settings, IIS' log settings. It only reads.

Sources: "wevtutil" (gl, gli, qe; its property names are not translated), "Getting Started with
AppCmd.exe" (``/text:`` prints one attribute of every object, one a line) and "Error logging in HTTP
APIs" (the registry values) on Microsoft Learn. ``appcmd list config`` is only asked for the section
``log``: the section ``sites`` would print passwords of virtual directories.
"""

from __future__ import annotations

import ntpath
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import ParseError

from defusedxml.ElementTree import fromstring

from opsproof.collection.model import NO_CHANNEL, State, state_of
from opsproof.errors import IncompleteError, UsageError
from opsproof.inspection.batch import Batch
from opsproof.inspection.command import LAST, MARKER, MAX_LINE, asked

HTTPERR = "%SystemRoot%\\System32\\LogFiles"
"""Folder above HTTPERR where the registry names no other ("Error logging in HTTP APIs")."""

_APPCMD = "%windir%\\System32\\inetsrv\\appcmd.exe"
_HTTP = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\HTTP\\Parameters"
_SITE = {
    "id": "id",
    "name": "name",
    "enabled": "logFile.enabled",
    "directory": "logFile.directory",
    "format": "logFile.logFormat",
    "period": "logFile.period",
    "fields": "logFile.logExtFileFlags",
}
_UNSAFE = frozenset('"&|<>^!\r\n')
_END = f"call echo {MARKER}end %^errorlevel%"
"""The caret keeps the variable from being read before the command has run; ``call`` reads it then."""


def refuse_unsafe(value: str, where: str, also: str = "") -> None:
    """Raise :class:`UsageError` for a value that would not stay one word of a command line."""
    if not value or _UNSAFE.union(also) & set(value):
        raise UsageError(
            f"{value!r} cannot stand in a command line", where=where, remedy="give a plain name"
        )


def one_line(steps: Sequence[str], where: str) -> str:
    """The steps as one line; :class:`UsageError` when cmd.exe would not read it whole."""
    line = " & ".join((*steps, LAST))
    if len(line) > MAX_LINE:
        raise UsageError(
            f"the command has {len(line)} characters, cmd.exe reads {MAX_LINE}",
            where=where,
            remedy="name fewer channels or folders, or let sites share a log folder",
        )
    return line


def part_of(section: str, command: str) -> str:
    """A command between markers; the second tells its exit code."""
    return f"echo {MARKER}begin {section} & {command} & {_END}"


def look_command(
    channels: Sequence[str], *, asked_at: datetime, retention_days: int, scratch: str
) -> str:
    """One line for ``cmd.exe /c`` that reads what logs there are and how they are set up.

    Raises:
        UsageError: a name cannot stand in a command line, or the line grows too long.
    """
    for channel in channels:
        refuse_unsafe(channel, "log_collection_channels", "%")
    refuse_unsafe(scratch, "log_collection_scratch")
    old = f"*[System[TimeCreated[timediff(@SystemTime) >= {retention_days * 86_400_000}]]]"
    quoted = " ".join(f'"{channel}"' for channel in channels)
    attributes = " ".join(_SITE.values())
    each = " & ".join(
        (
            part_of("config %~c", 'wevtutil gl "%~c" 2>nul'),
            part_of("info %~c", 'wevtutil gli "%~c" 2>nul'),
            # Counted, not shown: what an event says does not belong into the output of a task.
            part_of(
                "old %~c", f'(wevtutil qe "%~c" /c:1 /f:xml "/q:{old}" 2>nul | find /c "<Event ")'
            ),
        )
    )
    sites = part_of("site %a", f"{_APPCMD} list site /text:%a")
    central = part_of("central", f"{_APPCMD} list config /section:system.applicationHost/log")
    return one_line(
        (
            asked(asked_at),
            f'(if exist "{scratch}" echo {MARKER}absent clean-scratch)',
            f"(for %c in ({quoted}) do @({each}))",
            f"(if exist {_APPCMD} ((for %a in ({attributes}) do @({sites})) & {central}) "
            f"else echo {MARKER}absent iis)",
            part_of("http", f'reg query "{_HTTP}" 2>nul'),
            part_of("free", f"fsutil volume diskfree {_drive(scratch)}"),
        ),
        "log_collection_channels",
    )


def _drive(path: str) -> str:
    """The drive of a path; that of Windows where the path begins with a variable."""
    drive = ntpath.splitdrive(path)[0]
    return drive or "%SystemDrive%"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One event log. ``state`` is PLANNED where it can be exported; ``code`` the Win32 code else.

    ``reaches_back`` is whether it holds a record older than the retention asked for.
    """

    name: str
    state: State
    code: int = 0
    enabled: bool | None = None
    records: int | None = None
    oldest_record: int | None = None
    size: int = 0
    max_size: int | None = None
    retention: bool | None = None
    auto_backup: bool | None = None
    reaches_back: bool | None = None
    folder: str = ""


@dataclass(frozen=True, kw_only=True)
class Site:
    """How one IIS site logs."""

    id: int
    name: str
    enabled: bool
    directory: str
    format: str
    period: str
    fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the first command found. ``sites`` is None without IIS, and where it tells nothing.

    Then ``iis_code`` is what appcmd ended with: IIS tells its configuration to administrators alone.
    ``central`` is ``Site``, ``CentralW3C`` or ``CentralBinary``, ``central_period`` when a central log in
    W3C format is begun anew; ``free`` bytes of the scratch drive, None when not told; ``leftover``: an
    earlier collection was cut off.
    """

    channels: tuple[Channel, ...]
    sites: tuple[Site, ...] | None
    central: str
    central_folder: str
    httperr: bool
    httperr_folder: str
    free: int | None
    leftover: bool
    iis_code: int = 0
    central_period: str = "Daily"


def read_look(batch: Batch, channels: Sequence[str]) -> Look:
    """The answer of :func:`look_command`.

    Raises :class:`IncompleteError` when a part of it is missing.
    """
    has_iis = "iis" not in batch.absent
    refused = 0 if not has_iis else _refused(batch)
    told = has_iis and not refused
    central, folder, period = _central(batch) if told else ("Site", "", "Daily")
    http = _registry(batch.section("http").text)
    return Look(
        channels=tuple(_channel(batch, name) for name in channels),
        sites=_sites(batch) if told else None,
        central=central,
        central_folder=folder,
        httperr=int(http.get("enableerrorlogging", "0x1"), 16) != 0,
        httperr_folder=http.get("errorloggingdir", HTTPERR).rstrip("\\") + "\\HTTPERR",
        free=_first_number(batch.section("free").text),
        leftover="clean-scratch" in batch.absent,
        iis_code=refused,
        central_period=period,
    )


def _refused(batch: Batch) -> int:
    """The code that IIS refuses with to tell anything of its sites, 0 where it does not."""
    codes = {batch.section(f"site {attribute}").code for attribute in _SITE.values()}
    return codes.pop() or 0 if len(codes) == 1 else 0


def pairs(text: str) -> dict[str, str]:
    """The ``name: value`` lines that wevtutil prints."""
    found = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in found}


def _channel(batch: Batch, name: str) -> Channel:
    config, info = batch.section(f"config {name}"), batch.section(f"info {name}")
    if not config.ok:
        code = config.code or NO_CHANNEL
        return Channel(name=name, state=state_of(code), code=code)
    settings, numbers = pairs(config.text), pairs(info.text)
    enabled = settings.get("enabled") == "true"
    state = State.PLANNED if enabled else State.DISABLED
    if not info.ok:
        state = state_of(info.code or 1)
    old = batch.section(f"old {name}").text.strip()
    return Channel(
        name=name,
        state=state,
        code=info.code or 0,
        enabled=enabled,
        records=_number(numbers.get("numberOfLogRecords")),
        oldest_record=_number(numbers.get("oldestRecordNumber")),
        size=_number(numbers.get("fileSize")) or 0,
        max_size=_number(settings.get("maxSize")),
        retention=settings.get("retention") == "true",
        auto_backup=settings.get("autoBackup") == "true",
        reaches_back=int(old) > 0 if info.ok and old.isdecimal() else None,
        folder=ntpath.dirname(settings.get("logFileName", "")),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _sites(batch: Batch) -> tuple[Site, ...]:
    columns = {}
    for name, attribute in _SITE.items():
        section = batch.section(f"site {attribute}")
        lines = section.text.split("\n")
        columns[name] = lines[:-1] if lines and not lines[-1] else lines
        if not section.ok or len(columns[name]) != len(columns["id"]):
            raise IncompleteError(
                f"IIS did not tell {attribute} of every site",
                remedy="run the collection again; look at appcmd on the host",
            )
    rows = zip(*columns.values(), strict=True)
    return tuple(_site(dict(zip(columns, row, strict=True))) for row in rows if row[0].strip())


def _site(row: dict[str, str]) -> Site:
    return Site(
        id=int(row["id"]),
        name=row["name"].strip(),
        enabled=row["enabled"].strip().lower() == "true",
        directory=row["directory"].strip().rstrip("\\"),
        format=row["format"].strip(),
        period=row["period"].strip(),
        fields=tuple(field.strip() for field in row["fields"].split(",") if field.strip()),
    )


def _central(batch: Batch) -> tuple[str, str, str]:
    """Mode, folder and period; what the section does not say has IIS' defaults.

    Source: Microsoft Learn, "<log>" and "<centralW3CLogFile>".
    """
    text = batch.section("central").text
    default = "%SystemDrive%\\inetpub\\logs\\LogFiles"
    try:
        root = fromstring(text[text.index("<") :])
    except (ParseError, ValueError) as error:
        raise IncompleteError(
            "IIS did not tell whether sites log centrally",
            remedy="run the collection again; look at appcmd on the host",
        ) from error
    log = root if root.tag == "log" else root.find("log")
    mode = "Site" if log is None else log.get("centralLogFileMode", "Site")
    tag = "centralBinaryLogFile" if mode == "CentralBinary" else "centralW3CLogFile"
    place = None if log is None else log.find(tag)
    told = {} if place is None else place.attrib
    return mode, told.get("directory", default).rstrip("\\"), told.get("period", "Daily")


def _registry(text: str) -> dict[str, str]:
    """Values below a key as ``reg query`` prints them, by lower-case name."""
    found = {}
    for line in text.splitlines():
        words = line.split(None, 2)
        if len(words) == 3 and words[1].startswith("REG_"):
            found[words[0].lower()] = words[2].strip()
    return found


def _first_number(text: str) -> int | None:
    """The number of the first line with one, thousands separators left out (fsutil)."""
    for line in text.splitlines():
        value = line.rpartition("(")[0] or line
        digits = "".join(char for char in value.rpartition(":")[2] if char.isdecimal())
        if digits:
            return int(digits)
    return None
