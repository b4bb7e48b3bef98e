"""Registry scripts (.reg). Source: "reg export", "Distribute registry changes" (Microsoft)."""

from __future__ import annotations

from winlab.host.errors import WindowsError
from winlab.host.registry import Registry, RegType, RegValue

HEADER = "Windows Registry Editor Version 5.00"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _hex(data: bytes) -> str:
    return ",".join(f"{byte:02x}" for byte in data)


def _raw(value: RegValue) -> bytes:
    if isinstance(value.data, bytes):
        return value.data
    if isinstance(value.data, tuple):
        return ("\0".join(value.data) + "\0\0").encode("utf-16-le")
    if isinstance(value.data, int):
        return value.data.to_bytes(8, "little")
    return (value.data + "\0").encode("utf-16-le")


def _value_line(value: RegValue) -> str:
    name = _quoted(value.name) if value.name else "@"
    if value.type is RegType.REG_SZ and isinstance(value.data, str):
        return f"{name}={_quoted(value.data)}"
    if value.type is RegType.REG_DWORD and isinstance(value.data, int):
        return f"{name}=dword:{value.data:08x}"
    if value.type is RegType.REG_BINARY:
        return f"{name}=hex:{_hex(_raw(value))}"
    return f"{name}=hex({value.type.value:x}):{_hex(_raw(value))}"


def export_lines(registry: Registry, key: str, sid: str) -> list[str]:
    """Return the lines of a script that recreates a key and all below it."""
    lines = [HEADER]

    def visit(path: str) -> None:
        lines.extend(["", f"[{registry.display(path, sid)}]"])
        lines.extend(_value_line(v) for v in registry.values(path, sid))
        for name in registry.subkeys(path, sid):
            visit(f"{path}\\{name}")

    visit(key)
    return [*lines, ""]


def _unquote(text: str) -> str:
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")


def _apply(registry: Registry, key: str, line: str, sid: str) -> None:
    if line.startswith("@"):
        name, rest = "", line[1:].lstrip().removeprefix("=")
    else:
        end = 1
        while end < len(line) and line[end] != '"':
            end += 2 if line[end] == "\\" else 1
        name, rest = _unquote(line[: end + 1]), line[end + 1 :].lstrip().removeprefix("=")
    rest = rest.strip()
    if rest == "-":
        if registry.value(key, name, sid) is not None:
            registry.delete_value(key, name, sid)
    elif rest.startswith('"'):
        registry.set_value(key, name, _unquote(rest), RegType.REG_SZ, sid)
    elif rest.lower().startswith("dword:"):
        registry.set_value(key, name, int(rest[6:], 16), RegType.REG_DWORD, sid)
    elif rest.lower().startswith("hex"):
        head, _, body = rest.partition(":")
        kind = RegType(int(head[4:-1], 16)) if "(" in head else RegType.REG_BINARY
        data = bytes(int(part, 16) for part in body.split(",") if part.strip())
        registry.set_value(key, name, _typed(kind, data), kind, sid)
    else:
        raise ValueError(line)


def _typed(kind: RegType, data: bytes) -> str | int | bytes | tuple[str, ...]:
    if kind in {RegType.REG_EXPAND_SZ, RegType.REG_SZ}:
        return data.decode("utf-16-le").rstrip("\0")
    if kind is RegType.REG_MULTI_SZ:
        return tuple(part for part in data.decode("utf-16-le").split("\0") if part)
    if kind in {RegType.REG_QWORD, RegType.REG_DWORD}:
        return int.from_bytes(data, "little")
    return data


def import_text(registry: Registry, text: str, sid: str) -> bool:
    """Apply a script; False when it is none or a line cannot be read."""
    lines = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\\\n", "").split("\n")
    if not lines or lines[0].strip() not in {HEADER, "REGEDIT4"}:
        return False
    key = ""
    for raw in lines[1:]:
        line = raw.strip()
        if not line or line.startswith(";"):
            continue
        try:
            if line.startswith("[-"):
                if registry.exists(line[2:-1], sid):
                    registry.delete_key(line[2:-1], sid)
                key = ""
            elif line.startswith("["):
                key = line[1:-1]
                registry.create_key(key, sid)
            elif key:
                _apply(registry, key, line, sid)
        except (ValueError, WindowsError):
            return False
    return True
