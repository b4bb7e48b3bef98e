"""What can go wrong between an estate file and a running lab: one line each."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what was asked. ``what`` happened, ``remedy`` says what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        """Keep both parts; the message joins them."""
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        """Compose the one line."""
        return f"{self.what}; {self.remedy}"


class EstateError(LabError):
    """An estate file is wrong: ``file`` and ``key`` say where."""

    def __init__(self, file: str, key: str, what: str, remedy: str) -> None:
        """``key`` is the path inside the file, such as ``hosts[3].disks[0].letter``."""
        super().__init__(f"{file}: {key}: {what}" if key else f"{file}: {what}", remedy)
        self.file = file
        self.key = key
