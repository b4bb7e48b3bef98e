"""HRESULTs in words of both languages, and codes inside messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.ansible.windows.plugins.action import win_updates

from opsproof.patching import hresult
from opsproof.patching.hresult import code_in, code_of

TABLE = yaml.safe_load(Path(hresult.__file__).with_name("words.yml").read_text(encoding="utf-8"))


def test_signed_and_unsigned_are_the_same() -> None:
    assert code_of(0x800F0922 - 2**32) == code_of(0x800F0922)
    assert code_of(0x800F0922).name == "CBS_E_INSTALLERS_FAILED"


@pytest.mark.parametrize("number", sorted(TABLE))
def test_every_number_has_words_in_both_languages(number: str) -> None:
    code = code_of(int(number, 16))
    assert code.hresult == number
    assert re.search(r"[\u4e00-\u9fff]", code.zh)
    assert code.en.isascii()


@pytest.mark.parametrize("number", [n for n in sorted(TABLE) if n.startswith("0x8024")])
def test_names_are_those_of_the_update_agent(number: str) -> None:
    told = win_updates._get_hresult_error(int(number, 16))
    assert f"({TABLE[number]['name']} {number})" in told


def test_what_the_table_lacks_keeps_the_words_of_the_module() -> None:
    code = code_of(0x80240003, "An ID cannot be found (WU_E_UNKNOWN_ID 0x80240003)")
    assert (code.name, code.en) == ("WU_E_UNKNOWN_ID", "An ID cannot be found")
    assert code_of(0x12345678).name == "UNKNOWN"


@pytest.mark.parametrize("locale", ["Exception from HRESULT: ", "异常来自 HRESULT:"])
def test_a_code_is_found_in_a_message_of_either_language(locale: str) -> None:
    told = win_updates._get_hresult_error(0x80244022)
    found = code_in(f"Searching for updates: {locale}0x80244022 - {told}")
    assert found is not None
    assert found.name == "WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL"
    assert code_in("connection refused") is None
