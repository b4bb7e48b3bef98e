"""Checks, without any facts, that controls ask for facts that exist and compare what is comparable.

A misspelt path would otherwise be an error on every host of the next run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import inspect

from opsproof.controls.conditions import Combined, Compare, Condition, Quantified
from opsproof.controls.model import Control
from opsproof.errors import UsageError
from opsproof.evidence.schemas import facts_type

_LENGTH = (inspect.ListType, inspect.VarTupleType, inspect.StrType, inspect.DictType)
_LISTS = (inspect.ListType, inspect.VarTupleType)
_FITTING: dict[str, tuple[type[inspect.Type], ...]] = {
    "at_least": (inspect.IntType,),
    "at_most": (inspect.IntType,),
    "empty": _LENGTH,
    "contains": (*_LISTS, inspect.StrType),
}


def check_schemas(controls: Iterable[Control]) -> None:
    """Hold every path of every control against the facts of its activity and subject kind.

    Raises:
        UsageError: naming the first control and path that do not fit.
        FactsError: a control's activity has no such facts.
    """
    for control in controls:
        facts = inspect.type_info(facts_type(control.activity, control.subject))
        for condition in (control.applies, control.test):
            if condition is not None:
                for problem in _problems(condition, facts):
                    raise UsageError(problem, where=control.id)
        if control.owner is not None and not isinstance(
            _at(facts, control.owner.path), (inspect.StrType, inspect.AnyType)
        ):
            raise UsageError(f"there is no text {control.owner.path!r}", where=control.id)


def _problems(condition: Condition, facts: inspect.Type) -> Iterator[str]:
    match condition:
        case Compare(path, operator):
            found = _at(facts, path)
            if found is None:
                yield f"there is no fact {path!r}"
            elif not _fits(found, _FITTING.get(operator, (inspect.Type,))):
                yield f"{operator!r} cannot be asked of the fact {path!r}"
        case Combined(_, parts):
            for part in parts:
                yield from _problems(part, facts)
        case Quantified(word, path, where, inside):
            found = _at(facts, path)
            if found is None or not isinstance(found, _LISTS):
                yield f"{word!r} needs a list, and {path!r} is none"
                return
            for inner in (where, inside):
                if inner is not None:
                    yield from _problems(inner, found.item_type)


def _fits(found: inspect.Type, types: tuple[type[inspect.Type], ...]) -> bool:
    return isinstance(found, (*types, inspect.AnyType))


def _at(facts: inspect.Type, path: str) -> inspect.Type | None:
    """The type of the fact at a path, None aside; None when there is no such fact."""
    found: inspect.Type | None = _without_none(facts)
    for key in [] if path == "." else path.split("."):
        if isinstance(found, inspect.DictType):
            found = _without_none(found.value_type)
        elif isinstance(found, inspect.StructType):
            types = {field.encode_name: field.type for field in found.fields}
            found = _without_none(types[key]) if key in types else None
        elif not isinstance(found, inspect.AnyType):
            return None
    return found


def _without_none(found: inspect.Type) -> inspect.Type:
    if isinstance(found, inspect.UnionType):
        types = [part for part in found.types if not isinstance(part, inspect.NoneType)]
        return types[0] if len(types) == 1 else inspect.AnyType()
    return found
