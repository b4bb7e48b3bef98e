"""What every filter plugin does around its functions: plain values in, one-line errors out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from opsproof.errors import OpsproofError


def guarded(
    functions: Mapping[str, Callable[..., Any]], failure: Callable[[str], Exception]
) -> dict[str, Callable[..., Any]]:
    """The functions by name, as a filter plugin offers them.

    ``failure`` makes the exception that Ansible shows; its text begins with the filter's name.
    """
    return {name: _guarded(name, function, failure) for name, function in functions.items()}


def _guarded(
    name: str, function: Callable[..., Any], failure: Callable[[str], Exception]
) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        # Ansible's values are tagged subclasses of str, list and dict; ours are the plain types.
        # A day that YAML made a date of goes back to what was written.
        plain, named = json.loads(json.dumps([args, kwargs], default=str))
        try:
            return function(*plain, **named)
        except OpsproofError as error:
            raise failure(f"{name}: {error}") from error
        except (KeyError, ValueError, msgspec.ValidationError) as error:
            raise failure(f"{name}: the host's answer cannot be read: {error!r}") from error

    return wrapper
