"""Literals as ansible's shell plugin writes them."""

from __future__ import annotations

from ansible.plugins.shell.powershell import ShellModule
from hypothesis import given
from hypothesis import strategies as st

from winlab.exec.literals import unquote


@given(st.text("ab '\u2018\u2019\u201a\u201b\\$`", max_size=12))
def test_what_ansible_quotes_comes_back(text: str) -> None:
    assert unquote(f"'{ShellModule()._escape(text)}'") == text


def test_text_without_quotes_stays() -> None:
    assert unquote(" C:\\x ") == "C:\\x"
