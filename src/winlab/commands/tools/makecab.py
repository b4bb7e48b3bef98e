"""makecab.exe. Source: "makecab" and "Microsoft Cabinet Format" (Microsoft Learn), DDF directives.

Cabinets are real ones: MSZIP or uncompressed, written by cabarchive.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cabarchive import CabArchive, CabFile

from winlab.commands.call import Call, program
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError

_DEFAULTS = {
    "cabinetnametemplate": "*.cab",
    "cabinetname1": "",
    "diskdirectorytemplate": "Disk*",
    "diskdirectory1": "",
    "compressiontype": "MSZIP",
    "compress": "on",
    "cabinet": "on",
    "maxdisksize": "1.44M",
    "rptfilename": "setup.rpt",
    "inffilename": "setup.inf",
    "sourcedir": "",
    "destinationdir": "",
}
_IGNORED = {
    "uniquefiles",
    "generateinf",
    "infheader",
    "cabinetfilecountthreshold",
    "folderfilecountthreshold",
    "foldersizethreshold",
    "maxcabinetsize",
    "maxdiskfilecount",
    "reservepercabinetsize",
    "clustersize",
    "compressionmemory",
    "doscriptcompress",
    "maxerrors",
}
_SIZES = {
    "CDROM": 681_984_000,
    "1.44M": 1_457_664,
    "1.2M": 1_213_952,
    "720K": 730_112,
    "360K": 362_496,
}
_BANNER = "Cabinet Maker - Lossless Data Compression Tool"


class _DdfError(Exception):
    """The directive file is wrong; the text is makecab's."""


@dataclass
class _Plan:
    settings: dict[str, str] = field(default_factory=lambda: dict(_DEFAULTS))
    files: list[tuple[str, str]] = field(default_factory=list)


def _words(line: str) -> list[str]:
    found: list[str] = []
    current, quote, started = "", "", False
    for char in line:
        if quote:
            if char == quote:
                quote = ""
            else:
                current += char
        elif char in "\"'":
            quote, started = char, True
        elif char in " \t":
            if started or current:
                found.append(current)
            current, started = "", False
        else:
            current += char
    if started or current:
        found.append(current)
    return found


def _directive(plan: _Plan, line: str, number: int) -> None:
    word, _, rest = line[1:].partition(" ")
    kind = word.lower()
    if kind == "set":
        name, equals, value = rest.strip().partition("=")
        key = name.strip().lower()
        if not equals:
            raise _DdfError(f"ERROR: (line {number}) Expected '=' in .Set command")
        if key not in plan.settings and key not in _IGNORED:
            raise NotModelledError(f"makecab .Set {name.strip()}")
        plan.settings[key] = " ".join(_words(value)) if value.strip() else ""
    elif kind == "option":
        if rest.strip().lower() != "explicit":
            raise _DdfError(f"ERROR: (line {number}) Unknown .Option: {rest.strip()}")
    elif kind in {"new", "define", "delete", "dump", "inf", "infbegin", "infend"}:
        raise NotModelledError(f"makecab .{word}")
    else:
        raise _DdfError(f"ERROR: (line {number}) Unknown directive: {word}")


def _read_ddf(plan: _Plan, text: str) -> None:
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith(";"):
            continue
        if line.startswith("."):
            _directive(plan, line, number)
            continue
        parts = [w for w in _words(line.partition(";")[0]) if not w.startswith("/")]
        if parts:
            source = parts[0]
            plan.files.append((source, parts[1] if len(parts) > 1 else source.rpartition("\\")[2]))


def _number(template: str, given: str) -> str:
    return given or template.replace("*", "1")


def _build(call: Call, plan: _Plan) -> tuple[bytes, int]:
    """Return the cabinet and the bytes that went in; 2 for a missing source file."""
    cabinet = CabArchive()
    before = 0
    compress = plan.settings["compress"].lower() in {"on", "1", "true"}
    kind = plan.settings["compressiontype"].upper()
    if compress and kind not in {"MSZIP", "NONE"}:
        raise NotModelledError(f"makecab CompressionType={kind}")
    folder = plan.settings["destinationdir"]
    for source, name in plan.files:
        place = (
            paths.join(plan.settings["sourcedir"], source) if plan.settings["sourcedir"] else source
        )
        try:
            data = call.host.files.read(place, call.cwd)
        except WindowsError as exc:
            if exc.code == 32:
                raise _DdfError(f"ERROR: Could not open file: {source}") from exc
            raise _DdfError(f"ERROR: Could not find file: {source}") from exc
        before += len(data)
        shown = paths.join(folder, name) if folder else name
        member = CabFile(data)
        member.date = call.host.clock.local(
            call.host.files.stat(place, call.cwd).entry.modified
        ).date()
        cabinet[shown] = member
    return bytes(cabinet.save(compress=compress and kind == "MSZIP", sort=False)), before


def _report(call: Call, count: int, before: int, after: int) -> None:
    percent = after * 100 / before if before else 0.0
    call.line()
    call.line(f"{before:,} bytes in {count} files")
    call.line(f"Total files:          {count:5d}")
    call.line(f"Bytes before:         {before:,}")
    call.line(f"Bytes after:          {after:,}")
    call.line(f"After/Before:         {percent:6.2f}% compression")
    call.line("Time:                   0.02 seconds ( 0 hr  0 min  0.02 sec)")
    call.line(f"Throughput:           {before / 1024 / 0.02:9.2f} Kb/second")


def _from_directives(call: Call, ddf_files: list[str], defines: dict[str, str]) -> int:
    plan = _Plan()
    plan.settings.update(defines)
    for name in ddf_files:
        if not call.host.files.is_file(name, call.cwd):
            raise _DdfError(f"ERROR: Could not open directive file: {name}")
        _read_ddf(plan, call.host.files.read(name, call.cwd).decode("utf-8", "replace"))
    if plan.settings["cabinet"].lower() in {"off", "0", "false"}:
        raise NotModelledError("makecab Cabinet=off")
    data, before = _build(call, plan)
    limit_text = plan.settings["maxdisksize"].upper()
    limit = _SIZES.get(limit_text) or int(limit_text or "0")
    if limit and len(data) > limit:
        raise NotModelledError("makecab cabinets that span several disks")
    folder = _number(plan.settings["diskdirectorytemplate"], plan.settings["diskdirectory1"])
    name = _number(plan.settings["cabinetnametemplate"], plan.settings["cabinetname1"])
    where = paths.normalise(folder, call.cwd) if folder else call.cwd
    call.host.files.ensure_folder(where)
    target = paths.join(where, name)
    call.host.files.write(target, data)
    count = len(plan.files)
    _side_files(call, plan, name, count, before, len(data))
    _report(call, count, before, len(data))
    return 0


def _side_files(call: Call, plan: _Plan, name: str, count: int, before: int, after: int) -> None:
    """Write setup.inf and setup.rpt into the current folder, as makecab /F does."""
    now = call.host.clock.local()
    inf = [
        ";*** BEGIN **********************************************************",
        ";**                                                                **",
        f";** Automatically generated on: {now:%a %b %d %H:%M:%S %Y}           **",
        ";**                                                                **",
        ";** MakeCAB Version: 10.0                                           **",
        "",
        "[cabinet list]",
        f"1,{name}",
        "",
        "[file list]",
        *(f"1,1,{shown}" for _, shown in plan.files),
        ";*** END ************************************************************",
    ]
    rpt = [
        f"MakeCAB Report: {now:%a %b %d %H:%M:%S %Y}",
        "",
        f"Total files:          {count}",
        f"Bytes before:         {before:,}",
        f"Bytes after:          {after:,}",
    ]
    for key, lines in (("inffilename", inf), ("rptfilename", rpt)):
        if plan.settings[key] and plan.settings[key].lower() != "nul":
            target = paths.normalise(plan.settings[key], call.cwd)
            call.host.files.write(target, "\r\n".join([*lines, ""]).encode())


def _single(call: Call, names: list[str], folder: str | None, defines: dict[str, str]) -> int:
    plan = _Plan()
    plan.settings.update(defines)
    source = names[0]
    leaf = source.rpartition("\\")[2]
    plan.files.append((source, leaf))
    data, before = _build(call, plan)
    target = names[1] if len(names) > 1 else leaf[:-1] + "_"
    where = paths.normalise(folder, call.cwd) if folder else call.cwd
    call.host.files.write(paths.normalise(target, where), data)
    percent = len(data) * 100 / before if before else 0.0
    call.line()
    call.line(f"100.00% - {leaf} (1 of 1)")
    _ = percent
    return 0


@program("makecab", "diantz")
def makecab(call: Call) -> int:
    """Pack files into a cabinet."""
    names: list[str] = []
    ddf: list[str] = []
    folder: str | None = None
    defines: dict[str, str] = {}
    args = list(call.args)
    call.line(_BANNER)
    try:
        while args:
            arg = args.pop(0)
            low = arg.lower()
            if low in {"/f", "-f"} and args:
                ddf.append(args.pop(0))
            elif low in {"/d", "-d"} and args:
                name, _, value = args.pop(0).partition("=")
                defines[name.lower()] = value
            elif low in {"/l", "-l"} and args:
                folder = args.pop(0)
            elif low[:2] in {"/v", "-v"} and (len(low) == 2 or low[2:].isdecimal()):
                pass
            elif low[:1] == "/":
                raise _DdfError(f"ERROR: Unknown option: {arg}")
            else:
                names.append(arg)
        if ddf:
            return _from_directives(call, ddf, defines)
        if not names or len(names) > 2:
            raise _DdfError("ERROR: Bad command line")
        return _single(call, names, folder, defines)
    except _DdfError as exc:
        call.line()
        call.line(str(exc))
        return 1
