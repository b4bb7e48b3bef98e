"""Conversion of argument values as Ansible.Basic does it (ansible-core, Ansible.Basic.cs Parse*).

Every function takes a value as it came from JSON and raises :class:`ConversionError` with the text
that .NET or Ansible.Basic would give.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_TRUE = ("y", "yes", "on", "1", "true", "t", "1.0")
_FALSE = ("n", "no", "off", "0", "false", "f", "0.0")
_VARIABLE = re.compile(r"%([^%]+)%")
_BAD_NUMBER = "Input string was not in a correct format."
_BAD_PATH_CHARACTERS = re.compile(r'["<>|\x00-\x1f]')


class ConversionError(Exception):
    """A value cannot become the wanted type."""


def expand_variables(text: str, environment: Mapping[str, str]) -> str:
    """Environment.ExpandEnvironmentVariables: unknown names stay as they are.

    ``environment`` is looked up by upper-case name.
    """
    return _VARIABLE.sub(lambda found: environment.get(found[1].upper(), found[0]), text)


def type_name(value: object) -> str:
    """The .NET type that PowerShell's ConvertFrom-Json gives a JSON value."""
    names: tuple[tuple[type, str], ...] = (
        (bool, "System.Boolean"),
        (str, "System.String"),
        (int, "System.Int32" if isinstance(value, int) and abs(value) < 2**31 else "System.Int64"),
        (float, "System.Decimal"),
        (list, "System.Object[]"),
        (dict, "System.Collections.Hashtable"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "System.Object")


def to_str(value: object) -> str:
    """Object.ToString()."""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, dict)):
        return type_name(value)
    return str(value)


def to_bool(value: object) -> bool:
    """ParseBool."""
    if isinstance(value, bool):
        return value
    text = to_str(value).lower().strip()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    valid = ", ".join((*_TRUE, *_FALSE))
    raise ConversionError(
        f"The value '{text}' is not a valid boolean. Valid booleans include: {valid}"
    )


def to_int(value: object) -> int:
    """ParseInt: a signed 32-bit number."""
    return _number(value, -(2**31), 2**31 - 1, "an Int32")


def to_uint32(value: object) -> int:
    """The delegate by which win_service takes its time options."""
    try:
        return _number(value, 0, 2**32 - 1, "a UInt32")
    except ConversionError as error:
        raise ConversionError(
            f'Cannot convert value "{to_str(value)}" to type "System.UInt32". Error: "{error}"'
        ) from error


def _number(value: object, low: int, high: int, kind: str) -> int:
    if isinstance(value, bool):
        raise ConversionError(_BAD_NUMBER)
    try:
        number = value if isinstance(value, int) else int(to_str(value).strip())
    except ValueError as error:
        raise ConversionError(_BAD_NUMBER) from error
    if not low <= number <= high:
        raise ConversionError(f"Value was either too large or too small for {kind}.")
    return number


def to_float(value: object) -> float:
    """ParseFloat."""
    try:
        return float(to_str(value))
    except ValueError as error:
        raise ConversionError(_BAD_NUMBER) from error


def to_list(value: object) -> list[Any]:
    """ParseList: strings are split at commas."""
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if isinstance(value, int) and not isinstance(value, bool):
        return [value]
    raise ConversionError(f"{type_name(value)} cannot be converted to a list")


def to_dict(value: object) -> dict[str, Any]:
    """ParseDict: JSON text or key=value pairs."""
    if isinstance(value, dict):
        return dict(value)
    if not isinstance(value, str):
        raise ConversionError(f"{type_name(value)} cannot be converted to a dict")
    if value.startswith("{") and value.endswith("}"):
        try:
            return dict(json.loads(value))
        except ValueError as error:
            raise ConversionError("Invalid object passed in, ':' or '}' expected.") from error
    if "=" not in value:
        raise ConversionError(
            "string cannot be converted to a dict, must either be a JSON string or in the "
            "key=value form"
        )
    fields = [part for part in re.split(r"[, ]", value) if part]
    return {key: rest for key, _, rest in (part.partition("=") for part in fields)}


def to_json(value: object) -> str:
    """ParseJson."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, str):
        return value
    raise ConversionError(f"{type_name(value)} cannot be converted to json")


def to_path(value: object, environment: Mapping[str, str]) -> str:
    """ParsePath: variables expanded; NT paths (\\\\?\\) are taken as they are."""
    text = to_str(value)
    if text.startswith("\\\\?\\"):
        return text
    text = expand_variables(text, environment)
    if _BAD_PATH_CHARACTERS.search(text):
        raise ConversionError(
            "string value contains invalid path characters, cannot convert to path"
        )
    if not text:
        raise ConversionError("The path is not of a legal form.")
    return text


def converter(kind: str, environment: Mapping[str, str]) -> Callable[[object], Any]:
    """The conversion for an option type of that name; KeyError for an unknown type."""
    if kind == "path":
        return lambda value: to_path(value, environment)
    return _CONVERTERS[kind]


_CONVERTERS: Mapping[str, Callable[[object], Any]] = {
    "bool": to_bool,
    "dict": to_dict,
    "float": to_float,
    "int": to_int,
    "json": to_json,
    "list": to_list,
    "raw": lambda value: value,
    "str": to_str,
    "uint32": to_uint32,
}
