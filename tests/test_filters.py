from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from opsproof.errors import UsageError
from opsproof.filters import guarded


class FilterError(Exception):
    pass


class Tagged(str):
    """What Ansible makes of a text."""


def offered(function: Any) -> Any:
    return guarded({"seen": function}, FilterError)["seen"]


def test_functions_get_plain_values() -> None:
    given = offered(lambda value, *, named: (type(value["a"]), named))
    assert given({"a": Tagged("x")}, named=[date(2026, 11, 22)]) == (str, ["2026-11-22"])


def test_our_errors_become_one_line_with_the_filters_name() -> None:
    def refuse(value: str) -> None:
        raise UsageError("is no path", where=value)

    with pytest.raises(FilterError, match=r"^seen: x: is no path$"):
        offered(refuse)("x")


@pytest.mark.parametrize("value", [{}, {"n": "many"}])
def test_an_answer_that_cannot_be_read_says_so(value: dict[str, str]) -> None:
    with pytest.raises(FilterError, match=r"^seen: the host's answer cannot be read: "):
        offered(lambda facts: int(facts["n"]))(value)
