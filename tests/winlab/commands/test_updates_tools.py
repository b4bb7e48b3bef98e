"""dism and wmic qfe: what is installed, in both languages, and removing a package."""

from __future__ import annotations

import pytest
from tests.winlab.commands.lab_hosts import make_host, out

from winlab.commands import run_cmd
from winlab.host import msu
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


LCU = "Package_for_RollupFix~31bf3856ad364e35~amd64~~20348.4405.1.9"
SSU = "Package_for_ServicingStack_4400~31bf3856ad364e35~amd64~~20348.4400.1.1"
COMBINED = Update(id="c", title="C", kb=("5068787",), package=LCU, stack=SSU)
LONE = Update(
    id="l", title="L", kb=("5000012",), package="Package_for_KB5000012~31~amd64~~10.0.1.1",
    restart=False,
)  # fmt: skip
INSTALL = "wusa C:\\u.msu /quiet /norestart"


@pytest.fixture(params=["zh-CN", "en-US"])
def bare(request: pytest.FixtureRequest) -> Host:
    host = make_host(request.param)
    host.updates.offer([COMBINED, LONE], [], Wsus())
    host.files.write("C:\\u.msu", msu.build(msu.Msu("5068787", (SSU, LCU))))
    host.files.write("C:\\l.msu", msu.build(msu.Msu("5000012", (LONE.package,))))
    host.files.write("C:\\x.msu", msu.build(msu.Msu("5000099", ("P~1~amd64~~9",))))
    host.files.write("C:\\broken.msu", b"MSCF nothing")
    return host


def code(host: Host, line: str, *, remote: bool = False) -> int:
    return run_cmd(host, line, user="Administrator", remote=remote).rc


def test_update_files_are_cabinets_that_expand_unpacks(bare: Host) -> None:
    bare.files.mkdir("C:\\out")
    assert code(bare, "expand -F:* C:\\u.msu C:\\out") == 0
    names = [item.name for item in bare.files.list("C:\\out")]
    assert "WSUSSCAN.cab" in names
    assert len([name for name in names if name.endswith(".cab")]) == 3


def test_wusa_installs_for_a_task_and_never_over_winrm(bare: Host) -> None:
    assert code(bare, INSTALL, remote=True) == 5
    assert bare.updates.packages() == []
    assert run_cmd(bare, INSTALL, user="SYSTEM").rc == 3010
    bare.reboot()
    assert bare.updates.dump()["installed_kbs"] == ["5068787"]
    assert code(bare, INSTALL) == 0x240006
    assert code(bare, "wusa C:\\l.msu /quiet /norestart") == 0
    assert code(bare, "wusa C:\\x.msu /quiet /norestart") == 0x80240017 - 2**32
    assert code(bare, "wusa C:\\broken.msu /quiet") == 13
    assert code(bare, "wusa C:\\none.msu /quiet") == 2
    assert code(bare, "wusa /quiet") == 87


def test_wusa_restarts_the_host_unless_told_not_to(bare: Host) -> None:
    assert code(bare, "wusa C:\\u.msu /quiet") == 1641
    assert bare.power.pending is not None


def test_wusa_takes_nothing_out_quietly_any_more(bare: Host) -> None:
    bare.updates.offer([COMBINED], ["c"], Wsus())
    assert code(bare, "wusa /uninstall /kb:5068787 /quiet /norestart") == 87
    assert code(bare, "wusa /uninstall C:\\u.msu /quiet /norestart") == 87


def test_where_wusa_still_removes_it_refuses_a_combined_update() -> None:
    host = make_host("en-US", release="2012R2")
    host.updates.offer([COMBINED, LONE], ["c", "l"], Wsus())
    assert code(host, "wusa /uninstall /kb:5068787 /quiet /norestart") == 0x800F0825 - 2**32
    assert code(host, "wusa /uninstall /kb:5000012 /quiet /norestart") == 0
    assert code(host, "wusa /uninstall /kb:5000012 /quiet /norestart") == 0x240007


def test_dism_takes_the_cumulative_part_out_and_never_the_servicing_stack(bare: Host) -> None:
    bare.updates.offer([COMBINED], ["c"], Wsus())
    assert LCU in out(bare, LIST)
    remove = "dism /online /quiet /norestart /remove-package /packagename:"
    assert code(bare, remove + SSU) == 0x800F0825 - 2**32
    assert code(bare, remove + LCU) == 3010
    bare.reboot()
    assert [package.name for package in bare.updates.packages()] == [SSU]


def test_dism_adds_a_cabinet_once_its_servicing_stack_is_there(bare: Host) -> None:
    for name, package in (("lcu", LCU), ("ssu", SSU), ("other", "P~1~amd64~~9")):
        bare.files.write(f"C:\\{name}.cab", msu.cabinet_of([package]))
    add = "dism /online /quiet /norestart /add-package /packagepath:C:\\"
    assert code(bare, add + "lcu.cab") == 0x800F0823 - 2**32
    assert code(bare, add + "ssu.cab") == 0
    assert code(bare, add + "lcu.cab") == 3010
    assert code(bare, add + "other.cab") == 0x800F081E - 2**32
    assert code(bare, add + "none.cab") == 2
    assert code(bare, add + "broken.msu".replace(".msu", ".cab")) == 2
