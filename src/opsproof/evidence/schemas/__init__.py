"""The shape of facts, one file an activity, one struct a kind of subject.

``inspection.py`` holds ``HostFacts``, ``SiteFacts`` ...: the struct for a subject kind is its name
in capitals and ``Facts``. A new activity is a new file; nothing is listed here.
"""

from __future__ import annotations

import importlib
import re
from typing import Any

import msgspec

from opsproof.errors import UsageError
from opsproof.evidence.canonical import jsonable
from opsproof.evidence.model import Record, SubjectKind

_ACTIVITY = re.compile(r"[a-z][a-z0-9_]{0,39}")


class FactsError(UsageError):
    """Facts do not have the shape of their schema."""


def facts_type(activity: str, kind: SubjectKind) -> type[Record]:
    """The struct that facts of this activity about this kind of subject must fit.

    Raises:
        FactsError: there is no schema for them.
    """
    module = f"{__name__}.{activity}"
    try:
        if not _ACTIVITY.fullmatch(activity):
            raise ModuleNotFoundError(name=module)
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise FactsError(f"there is no schema for the activity {activity!r}") from error
    name = kind.value.title().replace("-", "") + "Facts"
    struct = getattr(found, name, None)
    if not (isinstance(struct, type) and issubclass(struct, Record)):
        raise FactsError(f"the activity {activity!r} has no facts about the kind {kind.value!r}")
    return struct


def validate(activity: str, kind: SubjectKind, facts: Any, *, where: str = "facts") -> Any:
    """The facts as plain JSON, every field of the schema present.

    Raises:
        FactsError: naming the path of the first value that does not fit.
        CanonicalError: a value is no evidence (a float, for one).
    """
    struct = facts_type(activity, kind)
    try:
        return jsonable(msgspec.convert(facts, struct))
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        place = f"{where}{path.rstrip('`')}"
        raise FactsError(what, where=f"{activity}/{kind.value}: {place}") from error
