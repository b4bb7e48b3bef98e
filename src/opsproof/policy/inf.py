"""Security templates (``.inf``): what ``secedit`` exports and imports, and GptTmpl.inf in a GPO.

Format: [MS-GPSB] 2.2 (UTF-16LE with a byte order mark; ``[Section]``, ``key = value``), "Security
Settings: INF template" of Microsoft. secedit also writes ANSI, into an existing file without a mark.
A value is a list of fields between commas; quotes protect commas within a field, wherever they
stand (``a","b`` is one field), and a doubled quote inside quotes is a quote.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from opsproof.policy.damage import DamagedError, lines_of

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"))
_SECTION = re.compile(r"\[([^\[\]]+)\]")
_PLAIN = re.compile(r'[^\s,";=\[][^,";=]*')


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a section: ``key = fields``, or fields alone (``key`` is then None).

    ``offset`` is where the line begins in the file, in bytes; it does not count for equality.
    """

    key: str | None
    fields: tuple[str, ...]
    offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Inf:
    """A template as it stands: sections in their order, each with its lines."""

    sections: tuple[tuple[str, tuple[Line, ...]], ...]
    name: str = field(default="", compare=False)

    def section(self, name: str) -> tuple[Line, ...]:
        """The lines of a section, whatever its case; none when it is not there."""
        low = name.lower()
        return tuple(
            line for title, lines in self.sections if title.lower() == low for line in lines
        )


def parse(data: bytes, *, name: str, code_page: str = "utf-8") -> Inf:
    """Read a template. ``code_page`` decodes a file without a byte order mark (cp1252, gbk ...).

    Raises:
        DamagedError: with file and byte offset.
    """
    found: dict[str, tuple[str, list[Line]]] = {}
    lines: list[Line] | None = None
    for offset, text in _lines(data, name, code_page):
        stripped = text.strip()
        if not stripped or stripped.startswith(";"):
            continue
        if stripped.startswith("["):
            match = _SECTION.fullmatch(stripped)
            if match is None:
                raise DamagedError("a section's name does not end", name=name, offset=offset)
            _, lines = found.setdefault(match[1].lower(), (match[1], []))
        elif lines is None:
            raise DamagedError("text stands before the first section", name=name, offset=offset)
        else:
            _add(lines, _line(stripped, name, offset), name)
    if not found:
        raise DamagedError("holds no section", name=name, offset=0)
    return Inf(tuple((title, tuple(lines)) for title, lines in found.values()), name)


def serialise(inf: Inf) -> bytes:
    """The template as secedit reads it in any language: UTF-16LE with a mark, CR LF."""
    text: list[str] = []
    for title, lines in inf.sections:
        text.append(f"[{title}]")
        text.extend(_written(title, line) for line in lines)
    return codecs.BOM_UTF16_LE + "".join(f"{line}\r\n" for line in text).encode("utf-16-le")


def _lines(data: bytes, name: str, code_page: str) -> Iterator[tuple[int, str]]:
    mark, codec = next((pair for pair in _BOMS if data.startswith(pair[0])), (b"", code_page))
    wide = codec == "utf-16-le"
    body = data[len(mark) :]
    if wide and len(body) % 2:
        raise DamagedError("ends within a character", name=name, offset=len(data) - 1)
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        raise DamagedError(
            f"is not {codec} text",
            name=name,
            offset=len(mark) + error.start,
            remedy="name the code page it was exported in",
        ) from error
    for at, line in lines_of(text, codec, len(mark)):
        # After an import secedit leaves a NUL behind the text of a logon notice.
        clean = line.rstrip("\r\n\0")
        if "\0" in clean:
            inside = len(clean[: clean.index("\0")].encode(codec))
            raise DamagedError("holds a NUL", name=name, offset=at + inside)
        yield at, clean


def _line(text: str, name: str, offset: int) -> Line:
    if text.startswith('"'):
        return Line(None, _fields(text, name, offset), offset)
    key, equals, value = text.partition("=")
    if not equals:
        return Line(None, _fields(text, name, offset), offset)
    if not key.strip():
        raise DamagedError("a line has no key", name=name, offset=offset)
    return Line(key.strip(), _fields(value.strip(), name, offset), offset)


def _fields(text: str, name: str, offset: int) -> tuple[str, ...]:
    if not text:
        return ()
    fields: list[str] = []
    current: list[str] = []
    # Blanks count inside quotes only; `firm` is how much of the field quotes protect.
    firm, quoted, at = 0, False, 0
    while at < len(text):
        char = text[at]
        if quoted and text[at : at + 2] == '""':
            current.append('"')
            at += 1
            firm = len(current)
        elif char == '"':
            quoted = not quoted
            firm = len(current)
        elif char == "," and not quoted:
            fields.append(_trimmed(current, firm))
            current, firm = [], 0
        elif quoted or current or not char.isspace():
            current.append(char)
        at += 1
    if quoted:
        raise DamagedError("a quote does not end", name=name, offset=offset)
    fields.append(_trimmed(current, firm))
    return tuple(fields)


def _trimmed(chars: list[str], firm: int) -> str:
    return "".join(chars[:firm]) + "".join(chars[firm:]).rstrip()


def _add(lines: list[Line], line: Line, name: str) -> None:
    """Take a line; the same key again is harmless when it says the same."""
    if line.key is not None:
        low = line.key.lower()
        for before in lines:
            if before.key is not None and before.key.lower() == low:
                if before.fields != line.fields:
                    raise DamagedError(
                        f"sets {line.key!r} twice, differently", name=name, offset=line.offset
                    )
                return
    lines.append(line)


def _written(title: str, line: Line) -> str:
    # secedit itself writes no blanks around "=" in this section and in the head.
    equals = "=" if title.lower() in {"registry values", "unicode", "version"} else " = "
    value = ",".join(_quoted(title, line, n) for n in range(len(line.fields)))
    return value if line.key is None else f"{line.key}{equals}{value}"


def _quoted(title: str, line: Line, number: int) -> str:
    text = line.fields[number]
    multi = title.lower() == "registry values" and line.fields[0] == "7" and number > 0
    if multi and '"' not in text and text == text.strip() and text:
        # secedit's own form for lists: only the comma stands in quotes.
        return text.replace(",", '","')
    if _PLAIN.fullmatch(text) and text == text.strip() and not _needs_quotes(title, line, number):
        return text
    if not text and len(line.fields) > 1 and not _needs_quotes(title, line, number):
        return text
    return '"' + text.replace('"', '""') + '"'


def _needs_quotes(title: str, line: Line, number: int) -> bool:
    low = title.lower()
    if low == "registry values":
        return line.fields[0] in {"1", "2"} and number > 0
    if line.key is None:
        return number != 1
    if low == "version":
        return line.key.lower() == "signature"
    return low == "system access" and not line.fields[number].lstrip("-").isdigit()
