"""Ids of hits: the same whenever, wherever and in whichever copy of a log the same thing is found.

An id is ``HIT-`` and the first 24 hex digits of the SHA-256 of canonical JSON (RFC 8785) with fields
that the report itself shows, so that anybody can check it. Of a record these are ``rule``, ``channel``,
``record``, ``time`` and ``log``, the computer that the record names; where it names none, ``fields``
in place of ``log``. Of a burst they are ``rule``, ``first`` and ``group``. An event that was exported
twice, a line of a log that has grown, or a burst that has gone on since, therefore keeps its id; two
hits with one id are one record in two files, or two that a report could not tell apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from opsproof.evidence.ids import content_id

_PREFIX: Final = "HIT"

PATTERN: Final = re.compile(rf"{_PREFIX}-[0-9a-f]{{24}}")
"""What an id looks like."""


def of_record(
    rule: str,
    log: str,
    channel: str,
    record: int | str | None,
    time: str | None,
    fields: Callable[[], dict[str, str]],
) -> str:
    """The id of one record that a rule describes. ``fields`` are asked for where ``log`` is empty."""
    place: dict[str, Any] = {"log": log} if log else {"fields": fields()}
    return content_id(
        _PREFIX, {"rule": rule, "channel": channel, "record": record, "time": time, **place}
    )


def of_burst(rule: str, first: str, group: dict[str, str]) -> str:
    """The id of one burst that a correlation describes."""
    return content_id(_PREFIX, {"rule": rule, "first": first, "group": group})
