"""Say why an audit looked at no record, or for nothing: an empty report must not pass for a clean one."""

from __future__ import annotations

from collections.abc import Sequence

from opsproof.logs.model import Counts, Kind, Source


def why_nothing(
    counts: Counts, sources: Sequence[Source], since: str | None, until: str | None
) -> str:
    """One line with the reason; empty where a rule, if there are any, looked at a record."""
    if counts.records > counts.filtered:
        idle = counts.rules_not_run and not counts.rules_run
        return f"none of {counts.rules_not_run} rules has anything to look at here" if idle else ""
    if counts.records:
        outside = (
            f"all {counts.records} records are outside the time asked for{_asked(since, until)}"
        )
        return f"{outside}: {_theirs(sources)}"
    if not sources:
        return "there is no file"
    if not any(one.bytes for one in sources):
        return f"{_files(len(sources))} and every one is empty"
    if all(one.kind is Kind.UNKNOWN for one in sources if one.bytes):
        return f"{_files(len(sources))} and none is a log that opsproof reads"
    return f"{_files(len(sources))} and no record could be read"


def _asked(since: str | None, until: str | None) -> str:
    ends = [f"{word} {time}" for word, time in (("from", since), ("before", until)) if time]
    return f" ({' '.join(ends)})"


def _theirs(sources: Sequence[Source]) -> str:
    first = min((one.first for one in sources if one.first), default="unknown")
    last = max((one.last for one in sources if one.last), default="unknown")
    return f"they are of {first} to {last}"


def _files(count: int) -> str:
    return "there is one file" if count == 1 else f"there are {count} files"
