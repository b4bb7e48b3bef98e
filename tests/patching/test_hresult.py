"""HRESULTs in words of both languages, and codes inside messages."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


NUMBERS = [number for number in sorted(TABLE) if number.startswith("0x8024")]


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    """What win_updates says of each number.

    Asked in a process of its own: a plain import of a collection keeps Ansible's loader from it.
    """
    asked = (
        "import json, sys\n"
        "from ansible_collections.ansible.windows.plugins.action import win_updates as w\n"
        "print(json.dumps({n: w._get_hresult_error(int(n, 16)) for n in sys.argv[1:]}))\n"
    )
    answer = subprocess.check_output([sys.executable, "-c", asked, *NUMBERS], text=True)
    words: dict[str, str] = json.loads(answer)
    return words


@pytest.mark.parametrize("number", NUMBERS)
def test_names_are_those_of_the_update_agent(told: dict[str, str], number: str) -> None:
    assert f"({TABLE[number]['name']} {number})" in told[number]


def test_what_the_table_lacks_keeps_the_words_of_the_module() -> None:
    code = code_of(0x80240003, "An ID cannot be found (WU_E_UNKNOWN_ID 0x80240003)")
    assert (code.name, code.en) == ("WU_E_UNKNOWN_ID", "An ID cannot be found")
    assert code_of(0x12345678).name == "UNKNOWN"


@pytest.mark.parametrize("locale", ["Exception from HRESULT: ", "异常来自 HRESULT:"])
def test_a_code_is_found_in_a_message_of_either_language(told: dict[str, str], locale: str) -> None:
    found = code_in(f"Searching for updates: {locale}0x80244022 - {told['0x80244022']}")
    assert found is not None
    assert found.name == "WU_E_PT_HTTP_STATUS_SERVICE_UNAVAIL"
    assert code_in("connection refused") is None
