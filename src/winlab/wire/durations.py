"""xs:duration, the part of it that OperationTimeout and IdleTimeOut use.

Source: XML Schema part 2, 3.2.6. Years and months have no fixed length and WinRM does not take
them ([MS-WSMV] 2.2.4.26 OperationTimeout).
"""

from __future__ import annotations

import re

_DURATION = re.compile(
    r"P(?:(?P<days>\d{1,9})D)?"
    r"(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,9})?)S)?)?",
    re.ASCII,
)


def seconds_of(text: str) -> float:
    """The seconds of a duration such as ``PT20S``; ``ValueError`` for anything else, negatives too."""
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(f"not a positive xs:duration: {text!r}")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def duration_of(seconds: float) -> str:
    """Seconds as Windows writes them, in milliseconds: ``PT7200.000S``."""
    return f"PT{seconds:.3f}S"


def long_duration_of(seconds: float) -> str:
    """Whole seconds as Windows writes a shell's run time: ``P0DT0H0M0S``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"P{days}DT{hours}H{minutes}M{rest}S"
