"""Readers of what Windows' own tools print, by position and number, never by display text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from opsproof.errors import IncompleteError


@dataclass(frozen=True)
class Volume:
    """One local fixed disk; sizes in bytes."""

    letter: str
    size: int
    free: int


@dataclass(frozen=True)
class Listener:
    """One TCP port that a process listens on."""

    address: str
    port: int
    pid: int


def wmic_csv(text: str) -> list[dict[str, str]]:
    """Rows of ``wmic ... get ... /format:csv``: a header line, then one line a row.

    Raises :class:`IncompleteError` when there is no header (wmic failed) or a row has other cells
    than the header: wmic quotes nothing, so a comma in a value shifts what follows.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("Node,"):
        raise IncompleteError("wmic printed no table", remedy="look at the host's WMI service")
    header, *rows = (line.split(",") for line in lines)
    for row in rows:
        if len(row) != len(header):
            raise IncompleteError(f"wmic printed {len(row)} cells under {len(header)} columns")
    return [dict(zip(header, row, strict=True)) for row in rows]


def volumes(text: str) -> list[Volume]:
    """Disks of ``wmic logicaldisk``; a drive without a size (no medium, locked) is left out."""
    found = [
        Volume(row["DeviceID"].rstrip(":"), int(row["Size"]), int(row["FreeSpace"] or 0))
        for row in wmic_csv(text)
        if row["Size"]
    ]
    return sorted(found, key=lambda volume: volume.letter)


def listeners(text: str) -> list[Listener]:
    """Listening TCP sockets of ``netstat -ano``.

    The state word is translated on some systems, so a listener is known by its foreign address,
    which has port 0.
    """
    found = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 5 and fields[0] == "TCP" and fields[2].endswith(":0"):
            address, _, port = fields[1].rpartition(":")
            found.add(Listener(address, int(port), int(fields[4])))
    return sorted(found, key=lambda item: (item.port, item.address))


def appcmd(text: str) -> list[dict[str, str]]:
    """Objects of ``appcmd list ... /xml``: the attributes of each element below ``<appcmd>``.

    Raises :class:`IncompleteError` when the text is no XML document of appcmd's.
    """
    try:
        root: Element = fromstring(text.strip())
    except (ParseError, DefusedXmlException) as error:
        raise IncompleteError(f"appcmd printed no XML: {error}") from error
    if root.tag != "appcmd":
        raise IncompleteError(f"appcmd printed <{root.tag}> instead of <appcmd>")
    return [dict(child.attrib) for child in root]


_BLOB = re.compile(r"^\s+Blob\s+REG_BINARY\s+([0-9A-Fa-f]*)\s*$", re.MULTILINE)


def registry_blobs(text: str) -> list[bytes]:
    """The ``Blob`` values that ``reg query ... /s`` printed."""
    return [bytes.fromhex(digits) for digits in _BLOB.findall(text)]


_LOGINFO = re.compile(r"^\s*([A-Za-z]+): ?(.*)$", re.MULTILINE)


def log_info(text: str) -> dict[str, str]:
    """Properties of ``wevtutil gli``; their names are not translated."""
    return {name: value.strip() for name, value in _LOGINFO.findall(text)}


_CIM = re.compile(r"^(\d{14})\.(\d{6})([+-]\d{3})$")


def cim_datetime(text: str) -> datetime:
    """A CIM date ``yyyymmddHHMMSS.mmmmmmsUUU`` (DMTF DSP0004 section 5.2.4; UUU in minutes) in UTC.

    Raises :class:`ValueError` for anything else.
    """
    match = _CIM.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no CIM date")
    moment, micro, offset = match.groups()
    zone = timezone(timedelta(minutes=int(offset)))
    naive = datetime.strptime(moment + micro, "%Y%m%d%H%M%S%f")  # noqa: DTZ007 - zone follows
    return naive.replace(tzinfo=zone).astimezone(UTC)
