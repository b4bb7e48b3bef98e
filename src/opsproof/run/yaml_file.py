"""Reads a YAML file that a person wrote, or says in one line why it cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from opsproof.errors import UsageError


def read_yaml(path: Path) -> Any:
    """What the file holds; dates and times as YAML makes them.

    Raises:
        UsageError: it is not YAML in UTF-8. Editors on Chinese Windows may save in GBK.
        OSError: it cannot be read.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(
            "is not text in UTF-8", where=str(path), remedy="save it as UTF-8"
        ) from error
    except RecursionError as error:
        raise UsageError("is nested too deeply", where=str(path)) from error
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise UsageError(told, where=str(path), remedy="correct the YAML") from error
