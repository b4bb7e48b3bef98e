"""Files that people write are refused in one line, whatever an editor made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.errors import UsageError
from opsproof.run.rules import _register
from opsproof.run.schedule import load
from opsproof.run.yaml_file import read_yaml


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("items: [值班]".encode("gbk"), "is not text in UTF-8 (save it as UTF-8)"),
        (b"[" * 5000, "is nested too deeply"),
        (b"items: [", "while parsing"),
    ],
)
def test_what_is_no_yaml_in_utf_8_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "schedule.yml"
    path.write_bytes(content)
    for reader in (read_yaml, load, _register):
        with pytest.raises(UsageError) as caught:
            reader(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
