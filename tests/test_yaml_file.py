"""Files that people write are refused in one line, whatever an editor made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from opsproof.errors import UsageError
from opsproof.logs.cluster import load_manifest
from opsproof.run.gates import load_ticket
from opsproof.run.rules import _register
from opsproof.run.schedule import load
from opsproof.signatures.anomalies import Patterns
from opsproof.signatures.profile import load_profile
from opsproof.yaml_file import read_yaml


def _patterns(path: Path) -> Patterns:
    return Patterns(path, ("key",))


@pytest.mark.parametrize(
    "reader", [read_yaml, load, load_manifest, load_profile, load_ticket, _patterns, _register]
)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("items: [值班]".encode("gbk"), "is not text in UTF-8 (save it as UTF-8)"),
        (b"[" * 5000, "is nested too deeply"),
        (b"items: [", "while parsing"),
        (b"items: 2026-13-45", "a value is not of its type: month must be in 1..12"),
        (b"items: !!bool 7", "a value is not of its type: '7'"),
        (b"items: !!int ''", "a value is not of its type: "),
        (b"items: !!timestamp x", "a value is not of its type: "),
    ],
)
def test_what_is_no_yaml_in_utf_8_is_named(
    tmp_path: Path, reader: Callable[[Path], Any], content: bytes, message: str
) -> None:
    path = tmp_path / "schedule.yml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        reader(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
