"""winrm_ and psrp_ put_file.ps1 and fetch_file.ps1 (ansible-core 2.19)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

from winlab.exec.actions.chain import Chain, WrapperError
from winlab.exec.outcome import Outcome
from winlab.host.errors import WindowsError
from winlab.modules.kit.dotnet import calling, io_message

TEMPORARY = "\\ansible-tmp-"


def put(chain: Chain) -> Outcome:
    """Write base64 lines to a file and answer with the SHA-1 of what was written.

    A file in the transport's own temporary folder is no write for the guard.
    """
    chain.seen("put")
    path = str(chain.parameter("Path"))
    content = b"".join(_decoded(chain.envelope.data))
    try:
        with transport(chain, path):
            chain.host.files.write(path, content, cwd=chain.context.working_directory)
    except WindowsError as error:
        locale = chain.host.locale.name
        text = calling("Create", 1, io_message(error, path, locale), locale)
        raise WrapperError(text) from error
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return Outcome(lines=(f'{{"sha1":"{digest}"}}',))


def transport(chain: Chain, path: str) -> AbstractContextManager[None]:
    """Silence the write guard for files of the transport's temporary folder."""
    return chain.host.guard.exempt() if TEMPORARY in path else nullcontext()


def _decoded(data: bytes) -> Iterator[bytes]:
    for line in data.split():
        try:
            yield base64.b64decode(line, validate=True)
        except binascii.Error as error:
            raise WrapperError(
                'Exception calling "FromBase64String" with "1" argument(s): "Invalid length for a '
                'Base-64 char array or string."'
            ) from error


def fetch_range(chain: Chain) -> Outcome:
    """WinRM: answer with the base64 of one range, "[DIR]", or an error on stderr."""
    offset, size = int(chain.parameter("Offset")), int(chain.parameter("BufferSize"))
    if offset == 0:
        chain.seen("fetch")
    found = _read(chain)
    if isinstance(found, Outcome):
        return found
    part = found[offset : offset + size]
    return Outcome(lines=(base64.b64encode(part).decode(),) if part else ())


def fetch_whole(chain: Chain) -> Outcome:
    """PSRP: answer with "[FILE]" and one base64 string for each buffer."""
    chain.seen("fetch")
    size = int(chain.parameter("BufferSize"))
    found = _read(chain)
    if isinstance(found, Outcome):
        return found
    parts = [found[at : at + size] for at in range(0, len(found), size)]
    return Outcome(lines=("[FILE]", *(base64.b64encode(part).decode() for part in parts)))


def _read(chain: Chain) -> bytes | Outcome:
    path, cwd = str(chain.parameter("Path")), chain.context.working_directory
    files = chain.host.files
    if files.is_folder(path, cwd):
        return Outcome(lines=("[DIR]",))
    if not files.is_file(path, cwd):
        return Outcome(errors=(f"{path} does not exist",), rc=1)
    try:
        return files.read(path, cwd)
    except WindowsError as error:
        locale = chain.host.locale.name
        raise WrapperError(calling(".ctor", 4, io_message(error, path, locale), locale)) from error
