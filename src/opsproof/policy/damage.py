"""What the readers of policy files share: lines with their places, and the error that names one."""

from __future__ import annotations

from collections.abc import Iterator

from opsproof.errors import UsageError


class DamagedError(UsageError):
    """A policy file does not follow its format; ``where`` names file and byte offset."""

    def __init__(self, what: str, *, name: str, offset: int, remedy: str = "") -> None:
        """``offset`` counts bytes from 0."""
        super().__init__(
            what,
            where=f"{name}, byte {offset}",
            remedy=remedy or "export the file again; nothing of it was used",
        )
        self.offset = offset


def lines_of(text: str, codec: str, start: int) -> Iterator[tuple[int, str]]:
    """Every line with its end, and its byte offset; only LF ends a line, as Windows has it.

    ``start`` is the offset of the text in the file, ``codec`` what it was decoded from.
    """
    at = start
    for line in text.split("\n"):
        whole = f"{line}\n"
        yield at, whole
        at += len(whole.encode(codec))
