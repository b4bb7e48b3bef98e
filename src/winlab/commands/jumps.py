"""How control leaves a command: ``exit`` and ``goto``."""

from __future__ import annotations


class ExitShell(Exception):  # noqa: N818 - a jump, not an error
    """``exit`` ran: leave the shell, or only the batch file when ``batch_only``."""

    def __init__(self, code: int, *, batch_only: bool = False) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code
        self.batch_only = batch_only


class GotoLabel(Exception):  # noqa: N818 - a jump, not an error
    """``goto`` ran in a batch file."""

    def __init__(self, label: str) -> None:
        """Keep the label."""
        super().__init__(label)
        self.label = label
