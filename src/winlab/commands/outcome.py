"""What one of cmd's own commands returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from winlab.commands.shell import Shell
    from winlab.commands.streams import Streams


@dataclass(frozen=True, slots=True)
class Outcome:
    """``code`` is what && and || see; ``sets`` says whether ERRORLEVEL becomes ``code``.

    Many commands leave ERRORLEVEL alone when they succeed (echo, set, del, rd, rem, for, if).
    """

    code: int
    sets: bool = True


def kept(code: int) -> Outcome:
    """Return a success that leaves ERRORLEVEL as it was, or a failure that sets it."""
    return Outcome(code, sets=code != 0)


class Builtin(Protocol):
    """One of cmd's own commands: gets the text after its name."""

    def __call__(self, _shell: Shell, _rest: str, _streams: Streams, /) -> Outcome:
        """Run it."""
