"""dism and wmic qfe: what is installed, in both languages, and removing a package."""

from __future__ import annotations

import pytest
from tests.winlab.commands.lab_hosts import make_host, out

from winlab.commands import run_cmd
from winlab.host.host import Host
from winlab.host.updates import Update, Wsus

LIST = "dism /online /english /get-packages /format:table"
ROLLUP = Update(id="r", title="R", kb=("5000009",), package="Package_for_RollupFix~1")
TOOL = Update(id="t", title="T", kb=("5000010",), package="Package_T", restart=False)


@pytest.fixture(params=["zh-CN", "en-US"])
def patched(request: pytest.FixtureRequest) -> Host:
    host = make_host(request.param)
    host.updates.offer([ROLLUP, TOOL], ["r", "t"], Wsus())
    return host


def test_packages_in_english_whatever_the_language(patched: Host) -> None:
    rows = [line for line in out(patched, LIST).splitlines() if line.startswith("Package_")]
    assert [[cell.strip() for cell in row.split("|")][:2] for row in rows] == [
        ["Package_T", "Installed"],
        ["Package_for_RollupFix~1", "Installed"],
    ]


def test_removing_a_package_says_by_its_code_that_a_restart_is_due(patched: Host) -> None:
    remove = "dism /online /quiet /norestart /remove-package /packagename:"
    assert run_cmd(patched, f"{remove}Package_T", user="Administrator").rc == 0
    assert run_cmd(patched, f"{remove}Package_for_RollupFix~1", user="Administrator").rc == 3010
    assert "Uninstall Pending" in out(patched, LIST)
    patched.reboot()
    assert "Package_" not in out(patched, LIST)


def test_an_unknown_package_ends_with_its_hresult(patched: Host) -> None:
    result = run_cmd(
        patched, "dism /online /norestart /remove-package /packagename:X", user="Administrator"
    )
    assert result.rc == 0x800F0805 - 2**32
    assert b"Error: 0x800f0805" in result.stdout


def test_quick_fixes_name_the_numbers(patched: Host) -> None:
    text = out(patched, "wmic qfe get HotFixID /format:csv <nul")
    assert [line.split(",")[1] for line in text.split()[1:]] == ["KB5000009", "KB5000010"]
