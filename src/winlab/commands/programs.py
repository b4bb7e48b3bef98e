"""Finding what a command name means: a modelled executable, a batch file, or nothing."""

from __future__ import annotations

from dataclasses import dataclass

from winlab.commands.call import Call, Environment, Program, find_program
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.host import Host

_INETSRV = "c:\\windows\\system32\\inetsrv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a name led to; ``known`` means a file is there that the lab does not model."""

    name: str
    program: Program | None = None
    batch: bytes | None = None
    known: bool = False
    path_missing: bool = False


def _candidates(name: str, env: Environment) -> list[str]:
    extensions = [e.lower() for e in (env.find("PATHEXT") or ".EXE").split(";") if e]
    has = paths.suffix(name.rpartition("\\")[2]).lower()
    return [name] if has and has in extensions else [name + e for e in extensions]


def _folders(name: str, cwd: str, env: Environment) -> list[str]:
    if "\\" in name or ":" in name:
        return [cwd]
    return [cwd, *[p.strip('"') for p in (env.find("Path") or "").split(";") if p]]


def resolve(host: Host, name: str, cwd: str, env: Environment) -> Resolved:
    """Look for ``name`` in the current folder and on the path, as cmd does."""
    clean = name.replace("/", "\\")
    for folder in _folders(clean, cwd, env):
        for candidate in _candidates(clean, env):
            try:
                full = paths.normalise(candidate, folder)
            except WindowsError:
                continue
            found = _at(host, full)
            if found is not None:
                return found
    stem = clean.rpartition("\\")[2].lower().removesuffix(".exe")
    folder_given = "\\" in clean
    missing = folder_given and not host.files.is_folder(clean.rpartition("\\")[0] + "\\", cwd)
    return Resolved(name=stem, path_missing=missing)


def exists(host: Host, name: str, cwd: str, env: Environment) -> bool:
    """Whether ``name`` is that of an executable or a batch file."""
    found = resolve(host, name, cwd, env)
    return found.known or found.program is not None or found.batch is not None


def _at(host: Host, full: str) -> Resolved | None:
    low = full.lower()
    folder, file_name = paths.split(low)
    stem = file_name.removesuffix(".exe")
    if folder == _INETSRV and stem == "appcmd" and file_name.endswith(".exe"):
        program = find_program("appcmd") if host.iis.installed else None
        return None if program is None else Resolved(name="appcmd", program=program)
    if not host.files.is_file(full):
        return None
    if folder.endswith("\\tools\\binn") and file_name == "sqlcmd.exe":
        return Resolved(name="sqlcmd", program=find_program("sqlcmd"))
    if low.endswith((".cmd", ".bat")):
        return Resolved(name=file_name, batch=host.files.read(full))
    if folder.startswith("c:\\windows\\"):
        return Resolved(name=stem, program=find_program(stem), known=True)
    return Resolved(name=stem, known=True)


def start(call: Call, program: Program) -> int:
    """Run an executable under the guard's eye; what it does not model fails by name."""
    guard = call.host.guard
    origin = f"{guard.origin}: {call.name}" if guard.origin else call.name
    with guard.acting(origin):
        try:
            return program(call)
        except NotModelledError as exc:
            call.host.not_modelled(exc.what)
            call.error(str(exc))
            return 1
        except WindowsError as exc:
            call.error(call.message(exc.code))
            return exc.code
