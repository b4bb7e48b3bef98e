"""CLIXML, the form in which ``powershell.exe -EncodedCommand`` writes its error stream.

Shape as recorded from real hosts and as ansible-core's shell plugin ``powershell`` parses it:
``#< CLIXML``, CRLF, one ``Objs`` element; each line of an error is one string with ``S="Error"``
and its line end spelled ``_x000D__x000A_`` ([MS-PSRP] 2.2.5.3.2, encoding of strings).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

_HEADER = b"#< CLIXML\r\n"
_OPEN = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
_CLOSE = "</Objs>"
_PROGRESS = (
    '<Obj S="progress" RefId="0"><TN RefId="0"><T>System.Management.Automation.PSCustomObject</T>'
    '<T>System.Object</T></TN><MS><I64 N="SourceId">1</I64><PR N="Record">'
    "<AV>Preparing modules for first use.</AV><AI>0</AI><Nil /><PI>-1</PI><PC>-1</PC>"
    "<T>Completed</T><SR>-1</SR><SD> </SD></PR></MS></Obj>"
)
_ENCODED = re.compile("_(?=x[0-9A-Fa-f]{4}_)|[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")


def encode_string(text: str) -> str:
    """``text`` as the content of an ``S`` element ([MS-PSRP] 2.2.5.3.2), XML escapes included."""
    return escape(_ENCODED.sub(lambda found: f"_x{ord(found[0]):04X}_", text))


def error_stream(lines: Iterable[str], *, progress: bool = False) -> bytes:
    """The bytes on stderr for error ``lines`` (without line ends), UTF-8.

    ``progress`` puts the record "Preparing modules for first use." in front, which real hosts send
    when a profile's module cache is cold. Without lines and progress the stream is empty.
    """
    body = "".join(f'<S S="Error">{encode_string(line)}_x000D__x000A_</S>' for line in lines)
    if progress:
        body = _PROGRESS + body
    return _HEADER + (_OPEN + body + _CLOSE).encode() if body else b""
