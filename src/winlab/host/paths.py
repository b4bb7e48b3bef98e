"""Windows path rules, as strings (Microsoft Learn: "Naming Files, Paths, and Namespaces")."""

from __future__ import annotations

from winlab.host.errors import WindowsError

_FORBIDDEN = set('<>"|?*') | {chr(n) for n in range(32)}
_DEVICES = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10))}
_DEVICES |= {f"lpt{n}" for n in range(1, 10)}
MAX_PATH = 32767


def is_device(path: str) -> bool:
    """Whether the last name is a reserved device such as NUL."""
    name = path.replace("/", "\\").rpartition("\\")[2]
    return name.partition(".")[0].rstrip(" :").lower() in _DEVICES


def normalise(path: str, cwd: str = "C:\\") -> str:
    r"""Return the full path, "C:\a\b", without dot parts, trailing dots or spaces.

    Raises:
        WindowsError: 123 for an illegal name, 53 for a UNC path, 206 when too long.
    """
    text = path.strip().strip('"').replace("/", "\\")
    if text.startswith(("\\\\?\\", "\\\\.\\")):
        text = text[4:]
    if text.startswith("\\\\"):
        raise WindowsError(53, path)
    if len(text) > MAX_PATH:
        raise WindowsError(206, path)
    if len(text) >= 2 and text[1] == ":" and text[0].isalpha():
        drive, rest = text[0].upper() + ":", text[2:]
        if not rest.startswith("\\"):
            base = cwd if cwd[:2].upper() == drive else drive + "\\"
            rest = base[2:] + "\\" + rest
    elif text.startswith("\\"):
        drive, rest = cwd[:2].upper(), text
    else:
        drive, rest = cwd[:2].upper(), cwd[2:] + "\\" + text
    parts: list[str] = []
    for part in rest.split("\\"):
        if part in {"", "."}:
            continue
        if part == "..":
            if parts:
                parts.pop()
            continue
        name = part.rstrip(". ") or part
        if ":" in name or not _FORBIDDEN.isdisjoint(name):
            raise WindowsError(123, path)
        parts.append(name)
    return drive + "\\" + "\\".join(parts)


def split(path: str) -> tuple[str, str]:
    r"""Return (folder, name) of a full path; the folder of "C:\x" is "C:\"."""
    folder, _, name = path.rpartition("\\")
    return (folder + "\\" if folder.endswith(":") else folder), name


def join(folder: str, name: str) -> str:
    """Return ``folder`` and ``name`` joined by exactly one backslash."""
    return folder + name if folder.endswith("\\") else f"{folder}\\{name}"


def suffix(name: str) -> str:
    """Return the extension with its dot ("" when none), in the case given."""
    dot = name.rfind(".")
    return name[dot:] if dot >= 0 else ""


def matches(name: str, pattern: str) -> bool:
    """Whether ``name`` matches a wildcard pattern as FindFirstFile does ("*.*" means all)."""
    if pattern in {"*", "*.*"}:
        return True
    text, pat = name.lower(), pattern.lower()
    if pat.endswith(".*") and "." not in text:
        pat = pat[:-2]
    elif pat.endswith(".") and "." not in text:
        pat = pat[:-1]
    return _wild(text, pat)


def _wild(text: str, pattern: str) -> bool:
    at = star = mark = 0
    star = -1
    index = 0
    while at < len(text):
        if index < len(pattern) and (pattern[index] in {"?", text[at]}) and pattern[index] != "*":
            at += 1
            index += 1
        elif index < len(pattern) and pattern[index] == "*":
            star, mark = index, at
            index += 1
        elif star >= 0:
            index = star + 1
            mark += 1
            at = mark
        else:
            return False
    return all(c in "*?" for c in pattern[index:])
