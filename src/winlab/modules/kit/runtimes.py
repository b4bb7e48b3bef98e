"""start, end and delta of win_shell and win_command: the host's clock in UTC, as they write it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from winlab.modules.kit.context import RunContext

_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True)
class Runtime:
    """A stop watch on the host's clock; time the command took is what its context grew by."""

    context: RunContext
    begun: datetime
    spent: float

    def stop(self) -> dict[str, str]:
        """The three result keys."""
        delta = timedelta(seconds=self.context.duration - self.spent)
        delta += self.context.host.now() - self.begun
        hours, rest = divmod(delta.seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        shown = f"{hours}:{minutes:02}:{seconds:02}.{delta.microseconds:06}"
        return {
            "start": self.begun.strftime(_FORMAT),
            "end": (self.begun + delta).strftime(_FORMAT),
            "delta": shown,
        }


def runtime(context: RunContext) -> Runtime:
    """Start the watch."""
    return Runtime(context, context.host.now(), context.duration)
