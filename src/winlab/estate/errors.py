"""What can be wrong with an estate file: one line each."""

from __future__ import annotations

from opsproof.errors import ExitCode
from winlab.server.errors import LabError

__all__ = ["EstateError", "LabError"]


class EstateError(LabError):
    """An estate file is wrong: ``file`` and ``key`` say where."""

    exit_code = ExitCode.USAGE

    def __init__(self, file: str, key: str, what: str, remedy: str) -> None:
        """``key`` is the path inside the file, such as ``hosts[3].disks[0].letter``."""
        super().__init__(what, where=f"{file}: {key}" if key else file, remedy=remedy)
        self.file = file
        self.key = key
