"""The two lists of hashes in a sealed folder, in the forms that coreutils reads.

``SHA256SUMS`` has lines ``hex  path`` for ``sha256sum -c``; ``SM3SUMS`` has the tagged lines
``SM3 (path) = hex`` for ``cksum -a sm3 -c`` (GNU coreutils 9, "cksum invocation"). SM3 is
GB/T 32905-2016; both hashes are kept because 密评 counts Chinese algorithms.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import hashes

from opsproof.errors import TamperedError

SHA256SUMS = "SHA256SUMS"
SM3SUMS = "SM3SUMS"
SIGNATURE = "SHA256SUMS.p7s"
Algorithm = Literal["sha256", "sm3"]

_CHUNK = 1 << 20
_PLAIN = re.compile(r"([0-9a-f]{64})  (.+)")
_TAGGED = re.compile(r"SM3 \((.+)\) = ([0-9a-f]{64})")


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def both_hashes(path: Path) -> tuple[str, str]:
    """Hex SHA-256 and SM3 of a file, read once."""
    sha256 = hashlib.sha256()
    sm3 = hashes.Hash(hashes.SM3())
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            sha256.update(chunk)
            sm3.update(chunk)
    return sha256.hexdigest(), sm3.finalize().hex()


def sm3(data: bytes) -> str:
    """Hex SM3 of bytes."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize().hex()


def files_below(folder: Path) -> list[str]:
    """Paths of everything below the folder that is not a folder, with ``/``, sorted."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    )


def render(algorithm: Algorithm, sums: Mapping[str, str]) -> bytes:
    """The bytes of a list: ``path -> hex hash``, sorted by path."""
    form = "{hash}  {path}\n" if algorithm == "sha256" else "SM3 ({path}) = {hash}\n"
    return "".join(form.format(hash=sums[path], path=path) for path in sorted(sums)).encode()


def parse(algorithm: Algorithm, data: bytes, *, where: str) -> dict[str, str]:
    """Read a list back: ``path -> hex hash``.

    Raises:
        TamperedError: it is not byte for byte what :func:`render` writes, naming the line.
    """
    sums: dict[str, str] = {}
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise TamperedError("is not UTF-8", where=f"{where}:{number}") from error
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        match = (_PLAIN if algorithm == "sha256" else _TAGGED).fullmatch(line)
        if match is None:
            raise TamperedError("is not a line of a hash list", where=f"{where}:{number}")
        first, second = match.groups()
        path, value = (second, first) if algorithm == "sha256" else (first, second)
        if path in sums:
            raise TamperedError(f"lists {path} twice", where=f"{where}:{number}")
        if path.startswith("/") or ".." in path.split("/"):
            raise TamperedError(f"names a path outside: {path}", where=f"{where}:{number}")
        sums[path] = value
    if render(algorithm, sums) != data:
        raise TamperedError("is not sorted or not complete", where=where)
    return sums
