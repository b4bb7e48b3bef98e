"""Update files (.msu): cabinets with a description, a list of properties and the packages.

Sources: "Description of the Windows Update Standalone Installer in Windows" (KB934307) for what an
.msu holds; win_hotfix.ps1 (ansible.windows 3.3.0) for the elements it reads of the description;
"Windows Update Package" manifests (update.mum) for a package's identity. Files are real cabinets.
assumed: the folder names inside; a combined update lists its servicing stack first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from cabarchive import CabArchive, CabFile, CorruptionError, NotSupportedError
from defusedxml.ElementTree import fromstring

_IDENTITY = (
    '<assemblyIdentity name="{name}" version="{version}" processorArchitecture="{arch}" '
    'language="{language}" publicKeyToken="{token}" buildType="release" />'
)


class Msu(NamedTuple):
    """What an .msu brings: its KB number (without "KB") and its packages' names, in order."""

    kb: str
    packages: tuple[str, ...]


class MsuError(ValueError):
    """It is no update file."""


def build(msu: Msu) -> bytes:
    """The file."""
    base = f"Windows10.0-KB{msu.kb}-x64"
    cabinets = [f"{base}-{n}.cab" for n in range(1, len(msu.packages) + 1)]
    parts = "".join(
        f'<package action="install">{_identity(package)}'
        f'<source location="%configsetroot%\\{cabinet}" /></package>'
        for package, cabinet in zip(msu.packages, cabinets, strict=True)
    )
    description = f"<unattend><servicing>{parts}</servicing></unattend>"
    properties = f'KB Article Number="{msu.kb}"\r\nPackage Type="Security Update"\r\n'
    archive = CabArchive()
    archive["WSUSSCAN.cab"] = CabFile(cabinet_of(()))
    for package, cabinet in zip(msu.packages, cabinets, strict=True):
        archive[cabinet] = CabFile(cabinet_of((package,)))
    archive[f"{base}.xml"] = CabFile(description.encode())
    archive[f"{base}-pkgProperties.txt"] = CabFile(properties.encode())
    return bytes(archive.save(True))


def cabinet_of(packages: Iterable[str]) -> bytes:
    """A package's cabinet: its manifest."""
    inner = CabArchive()
    for package in packages:
        inner["update.mum"] = CabFile(f"<assembly>{_identity(package)}</assembly>".encode())
    return bytes(inner.save(True))


def members(data: bytes) -> dict[str, bytes]:
    """The files of a cabinet by name; :class:`MsuError` when it is none."""
    try:
        found: dict[str, CabFile] = dict(CabArchive(data))
    except (CorruptionError, NotSupportedError) as error:
        raise MsuError(str(error)) from error
    return {name: bytes(member.buf or b"") for name, member in found.items()}


def read(data: bytes) -> Msu:
    """What an update file brings; :class:`MsuError` when it is none."""
    files = members(data)
    description = next((name for name in files if name.lower().endswith(".xml")), None)
    if description is None:
        raise MsuError("no description")
    return Msu(
        number_in(files), tuple(package_in(files[c]) for c in cabinets_in(files[description]))
    )


def cabinets_in(description: bytes) -> list[str]:
    """The cabinets that a description names, in order, without their folders."""
    places = (e.get("location", "") for e in _parsed(description).iter("source"))
    return [place.rpartition("\\")[2] for place in places]


def number_in(files: dict[str, bytes]) -> str:
    """The KB number of the properties; empty when there is none."""
    for name, data in files.items():
        if name.lower().endswith(".txt"):
            for line in data.decode().splitlines():
                if line.startswith("KB Article Number"):
                    return line.rpartition("=")[2].strip('"')
    return ""


def package_in(cabinet: bytes) -> str:
    """The name of the package in a cabinet; :class:`MsuError` when it holds none."""
    manifest = members(cabinet).get("update.mum")
    identity = None if manifest is None else _parsed(manifest).find("assemblyIdentity")
    if identity is None:
        raise MsuError("no package")
    language = identity.get("language", "")
    return "~".join(
        (
            identity.get("name", ""),
            identity.get("publicKeyToken", ""),
            identity.get("processorArchitecture", ""),
            "" if language == "neutral" else language,
            identity.get("version", ""),
        )
    )


def _identity(package: str) -> str:
    name, token, arch, language, version = package.split("~")
    return _IDENTITY.format(
        name=name, version=version, arch=arch, language=language or "neutral", token=token
    )


def _parsed(data: bytes) -> Element:
    try:
        root: Element = fromstring(data.decode())
    except (ParseError, UnicodeDecodeError) as error:
        raise MsuError("its description is damaged") from error
    return root
