"""Reads YAML that a person wrote, or says in one line why it cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from opsproof.errors import UsageError


def read_yaml(path: Path) -> Any:
    """What the file holds; see :func:`parse_yaml`.

    Raises:
        UsageError: it is not YAML in UTF-8.
        OSError: it cannot be read.
    """
    return parse_yaml(path.read_bytes(), str(path))


def parse_yaml(content: bytes, where: str) -> Any:
    """What the bytes say; dates and times as YAML makes them.

    Raises:
        UsageError: they are not YAML in UTF-8. Editors on Chinese Windows may save in GBK.
    """
    try:
        return yaml.safe_load(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError("is not text in UTF-8", where=where, remedy="save it as UTF-8") from error
    except RecursionError as error:
        raise UsageError("is nested too deeply", where=where) from error
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise UsageError(told, where=where, remedy="correct the YAML") from error
    except (ValueError, LookupError, AttributeError) as error:
        # PyYAML's own, for 2026-13-45, for a tag that its value does not fit (!!bool 7), and the like.
        raise UsageError(
            f"a value is not of its type: {error}", where=where, remedy="correct the YAML"
        ) from error
