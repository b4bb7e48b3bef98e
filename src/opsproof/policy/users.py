"""Settings of every user: which hives a host has, how they are read and written.

A user's hive is HKEY_USERS\\SID while the user is logged on, else the file NTUSER.DAT of the profile
that ProfileList names; the profile Default is what a new user begins with. Source: "Registry hives"
and "Profiles directory" on Microsoft Learn. A file is read from a copy, so that reading changes
nothing; an entry of ProfileList without a file has no hive.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from opsproof.errors import IncompleteError
from opsproof.inspection.batch import Batch
from opsproof.inspection.command import MARKER, step
from opsproof.policy import regtext
from opsproof.policy.baseline import Setting
from opsproof.policy.registry import RegistryPath, RegistryValue
from opsproof.policy.targets import Registry

HIVE = "HKCU"
"""How a baseline names the hive of every user."""

DEFAULT = "Default"
"""The profile that new users begin with, by its name."""

_PROFILES = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList"
_DEFAULT_FOLDER = "%SystemDrive%\\Users\\Default"
_READ, _WRITE = "HKU\\opsproof-read", "HKU\\opsproof-write"
_SID = re.compile(r"\\(S-1-5-21-[0-9-]+)\s*$", re.MULTILINE)
_SIDS = '^| findstr /r "S-1-5-21-[0-9-]*$"'
_FOLDER = '/v ProfileImagePath ^| find "REG_"'


@dataclass(frozen=True, slots=True)
class UserHive:
    """One user's values as far as a baseline asks; ``name`` is a SID or :data:`DEFAULT`."""

    name: str
    values: Mapping[tuple[str, str, str], RegistryValue]


def user_keys(settings: Iterable[Setting]) -> tuple[str, ...]:
    """The keys below every user's hive that settings speak of, in order."""
    paths = (one.target.path for one in settings if isinstance(one.target, Registry))
    keys = {path.key.lower(): path.key for path in paths if path.hive == HIVE}
    return tuple(keys[low] for low in sorted(keys))


def user_steps(keys: Iterable[str], scratch: str) -> list[str]:
    """The steps of a command line that :func:`read_users` reads the answer of; none without keys."""
    quoted = " ".join(f'"{key}"' for key in keys)
    if not quoted:
        return []

    def export(root: str, label: str) -> str:
        return (
            f"(for %k in ({quoted}) do @(echo {MARKER}begin hive {label} %~k& "
            f'reg export "{root}\\%~k" u.reg /y >nul 2>nul '
            f"&& type u.reg && echo {MARKER}end ok || echo {MARKER}end failed))"
        )

    def from_file(folder: str, label: str) -> str:
        copy = f'"{scratch}\\NTUSER.DAT"'
        return (
            f'(if exist "{folder}\\NTUSER.DAT" (xcopy /h /y /q "{folder}\\NTUSER.DAT" . >nul 2>nul '
            f"&& reg load {_READ} {copy} >nul 2>nul && {export(_READ, label)} "
            f"& reg unload {_READ} >nul 2>nul) else echo {MARKER}absent profile {label})"
        )

    live = export("HKU\\%~nxs", "%~nxs")
    return [
        step("profiles", f'reg query "{_PROFILES}"'),
        from_file(_DEFAULT_FOLDER, DEFAULT),
        f'(for /f "delims=" %s in (\'reg query "{_PROFILES}" {_SIDS}\') do '
        f'@(reg query "HKU\\%~nxs" >nul 2>nul && {live} '
        f'|| (for /f "tokens=2,*" %a in (\'reg query "%s" {_FOLDER}\') do '
        f"@{from_file('%~b', '%~nxs')})))",
    ]


def read_users(batch: Batch, keys: Iterable[str]) -> tuple[UserHive, ...]:
    """The hive of every profile, Default first; nothing without keys.

    Raises:
        IncompleteError: a profile's hive could not be read.
    """
    wanted = tuple(keys)
    if not wanted:
        return ()
    profiles = batch.section("profiles")
    if not profiles.ok:
        raise IncompleteError("the host's list of profiles could not be read")
    names = [DEFAULT, *sorted(set(_SID.findall(profiles.text)))]
    found = [_hive(batch, name, wanted) for name in names if f"profile {name}" not in batch.absent]
    return tuple(found)


def _hive(batch: Batch, name: str, keys: tuple[str, ...]) -> UserHive:
    values: dict[tuple[str, str, str], RegistryValue] = {}
    for key in keys:
        section = batch.sections.get(f"hive {name} {key}")
        if section is None:
            raise IncompleteError(
                f"the hive of the profile {name} could not be read",
                remedy="another program may hold its NTUSER.DAT; run again",
            )
        if section.ok:
            for value in regtext.values(section.text, name=f"reg export {name} {key}", user=True):
                values[value.path.folded] = value
    return UserHive(name, values)


@dataclass(frozen=True, slots=True)
class UserWrite:
    """What is to stand in one user's hive; ``gone`` are values to remove."""

    name: str
    values: tuple[RegistryValue, ...]
    gone: tuple[RegistryPath, ...]


def user_files(stem: str, writes: Iterable[UserWrite]) -> dict[str, bytes]:
    """Registry scripts by file name: for a hive that is loaded, and for one that has to be."""
    files: dict[str, bytes] = {}
    for number, write in enumerate(writes, start=1):
        roots = {"file": _WRITE}
        if write.name != DEFAULT:
            roots["live"] = f"HKU\\{write.name}"
        for kind, root in roots.items():
            long = root.replace("HKU\\", "HKEY_USERS\\", 1)
            script = regtext.script(write.values, write.gone, root=long)
            files[f"{stem}-user{number}-{kind}.reg"] = script
    return files


def user_lines(stem: str, writes: Iterable[UserWrite]) -> list[str]:
    """Lines of a command file that bring the scripts of :func:`user_files` into the hives.

    Whether a user is logged on is looked at anew: it may have changed since the host was read.
    """
    lines: list[str] = []
    for number, write in enumerate(writes, start=1):
        file = f"{stem}-user{number}"
        load = f'reg load {_WRITE} "{{}}\\NTUSER.DAT" >nul 2>nul'
        if write.name == DEFAULT:
            lines.append(load.format(_DEFAULT_FOLDER))
            choose = f"reg query {_WRITE} >nul 2>nul && reg import {file}-file.reg >nul 2>nul"
        else:
            there = f'reg query "HKU\\{write.name}" >nul 2>nul'
            profile = f'"{_PROFILES}\\{write.name}"'
            lines.append(
                f"{there} || for /f \"tokens=2,*\" %%a in ('reg query {profile} {_FOLDER}') do "
                f"{load.format('%%~b')}"
            )
            choose = (
                f"({there} && reg import {file}-live.reg >nul 2>nul) "
                f"|| (reg query {_WRITE} >nul 2>nul && reg import {file}-file.reg >nul 2>nul)"
            )
        lines.append(step(f"user {write.name}", f"({choose})"))
        lines.append(
            f"reg query {_WRITE} >nul 2>nul && ("
            + step(f"unload {write.name}", f"reg unload {_WRITE} >nul 2>nul")
            + ")"
        )
    return lines
