"""tar.exe (bsdtar, since Windows Server 2019). Source: "tar and curl come to Windows" (Microsoft)."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

from winlab.commands.call import Call, program
from winlab.host import paths
from winlab.host.errors import NotModelledError, WindowsError


def _fail(call: Call, text: str) -> int:
    call.error(f"tar: {text}")
    call.error("tar: Error exit delayed from previous errors.")
    return 1


def _members(call: Call, folder: str, names: list[str]) -> list[tuple[str, str]]:
    """Return (full path, name in the archive) of files and of all below folders."""
    found: list[tuple[str, str]] = []
    files = call.host.files
    for name in names:
        for item in files.glob(name, folder):
            if not item.is_folder:
                found.append((item.path, name if item.name in name else item.name))
                continue
            found += [
                (below.path, name + below.path[len(item.path) :])
                for below in files.walk(item.path)
                if not below.is_folder
            ]
    return found


@program("tar")
def tar(call: Call) -> int:
    """Create, list and extract archives: -c -t -x with -z, -a, -f and -C."""
    words = list(call.args)
    if not words:
        return _fail(call, "Must specify one of -c, -r, -t, -u, -x")
    letters, archive, folder, names = "", "", call.cwd, []
    first = True
    while words:
        word = words.pop(0)
        if word.startswith("-") or first:
            letters += word.lstrip("-")
            if word.endswith("f") and words:
                archive = words.pop(0)
            elif word == "-C" and words:
                folder = paths.normalise(words.pop(0), call.cwd)
                letters = letters[:-1]
        else:
            names.append(word)
        first = False
    verb = next((c for c in letters if c in "ctx"), "")
    if set(letters) - set("ctxzafv") or not verb or not archive:
        raise NotModelledError(f"tar {' '.join(call.args)}")
    try:
        if verb == "c":
            return _create(call, archive, folder, names, letters)
        return _read(call, archive, folder, verb, verbose="v" in letters)
    except WindowsError as exc:
        return _fail(call, f"Error opening archive: {exc.text('en-US')}")


def _create(call: Call, archive: str, folder: str, names: list[str], letters: str) -> int:
    members = _members(call, folder, names)
    if not members:
        return _fail(
            call,
            f"{names[0] if names else ''}: Couldn't visit directory: No such file or directory",
        )
    out = io.BytesIO()
    if archive.lower().endswith(".zip") and "a" in letters:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
            for full, name in members:
                info = zipfile.ZipInfo(name.replace("\\", "/"), (1980, 1, 1, 0, 0, 0))
                packed.writestr(info, call.host.files.read(full), zipfile.ZIP_DEFLATED)
    else:
        with tarfile.open(fileobj=out, mode="w") as bundle:
            for full, name in members:
                data = call.host.files.read(full)
                member = tarfile.TarInfo(name.replace("\\", "/"))
                member.size = len(data)
                modified = call.host.files.stat(full).entry.modified
                member.mtime = int(modified.timestamp())
                bundle.addfile(member, io.BytesIO(data))
    content = out.getvalue()
    if "z" in letters or ("a" in letters and archive.lower().endswith((".gz", ".tgz"))):
        content = gzip.compress(content, mtime=0)
    call.host.files.write(archive, content, cwd=call.cwd)
    return 0


def _read(call: Call, archive: str, folder: str, verb: str, *, verbose: bool) -> int:
    data = call.host.files.read(archive, call.cwd)
    found: list[tuple[str, bytes]] = []
    try:
        if data[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                found = [(n, packed.read(n)) for n in packed.namelist() if not n.endswith("/")]
        else:
            with tarfile.open(fileobj=io.BytesIO(data)) as bundle:
                for member in bundle.getmembers():
                    stream = bundle.extractfile(member)
                    if stream is not None:
                        found.append((member.name, stream.read()))
    except (tarfile.TarError, zipfile.BadZipFile):
        return _fail(call, "Error opening archive: Unrecognized archive format")
    for name, content in found:
        if verb == "t":
            call.line(name)
            continue
        if ".." in name.split("/") or ":" in name:
            return _fail(call, f"{name}: Path contains '..'")
        target = paths.join(folder, name.replace("/", "\\"))
        call.host.files.ensure_folder(paths.split(target)[0])
        call.host.files.write(target, content)
        if verbose:
            call.error(f"x {name}")
    return 0
