from __future__ import annotations

from pathlib import Path

import pytest

from opsproof.controls.model import Text
from opsproof.errors import UsageError
from opsproof.policy import auditcsv, pol, security
from opsproof.policy.baseline import Baseline, Comparison, meets
from opsproof.policy.baseline_write import dump
from opsproof.policy.baseline_yaml import load, read
from opsproof.policy.damage import DamagedError
from opsproof.policy.gpo import import_policies
from opsproof.policy.registry import RegistryPath, RegistryType, RegistryValue
from opsproof.policy.targets import Value

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "gpo"
LOGON = "{0cce9215-69ae-11d9-bed3-505054503030}"
KEY = "Software\\Policies\\A"


def imported(*paths: Path) -> Baseline:
    return import_policies(
        paths, name="made", title=Text("导入", "made"), releases=("2016", "2019", "2022")
    )


def values(baseline: Baseline) -> dict[str, Value | None]:
    return {str(one.target): one.value for one in baseline.settings}


def gpo(
    root: Path,
    *,
    name: str = "One",
    length: int = 14,
    entries: tuple[pol.Entry, ...] = (),
    upper: bool = False,
) -> Path:
    machine = root / "{A2A38432-E322-437F-9975-B7CC7F16F4AA}" / "DomainSysvol" / "GPO" / "Machine"
    if upper:
        machine = root / "DEEP" / "ER" / "{a2a38432-e322-437f-9975-b7cc7f16f4aa}" / "MACHINE"
    nt = machine / ("MICROSOFT/WINDOWS NT" if upper else "microsoft/windows nt")
    (nt / "SecEdit").mkdir(parents=True)
    (nt / "Audit").mkdir()
    template = security.SecurityTemplate(
        system_access={"MinimumPasswordLength": length},
        rights={"SeTcbPrivilege": ()},
        registry=(
            RegistryValue(RegistryPath("HKLM", KEY, "FromInf"), RegistryType.MULTI_SZ, ("a", "b")),
        ),
    )
    (nt / "SecEdit" / ("GPTTMPL.INF" if upper else "GptTmpl.inf")).write_bytes(
        security.write(template)
    )
    (nt / "Audit" / ("AUDIT.CSV" if upper else "audit.csv")).write_bytes(
        auditcsv.serialise([auditcsv.machine_line(LOGON, 3)])
    )
    (machine / ("REGISTRY.POL" if upper else "registry.pol")).write_bytes(pol.serialise(entries))
    backup = next(folder for folder in machine.parents if folder.name.startswith("{"))
    (backup / "bkupInfo.xml").write_text(
        '<BackupInst xmlns="http://www.microsoft.com/GroupPolicy/GPOOperations/Manifest">'
        f"<GPODisplayName><![CDATA[{name}]]></GPODisplayName></BackupInst>"
    )
    return root


def number(value: str, data: int) -> pol.Entry:
    return pol.setting(KEY, value, RegistryType.DWORD, data)


@pytest.mark.parametrize("upper", [False, True])
def test_a_backup_is_imported_whatever_its_nesting_and_case(tmp_path: Path, upper: bool) -> None:
    found = imported(gpo(tmp_path, entries=(number("N", 5),), upper=upper))
    assert values(found) == {
        "[System Access] MinimumPasswordLength": 14,
        "[Privilege Rights] SeTcbPrivilege": (),
        f"HKLM\\{KEY}\\FromInf": ("a", "b"),
        f"HKLM\\{KEY}\\N": 5,
        f"audit {LOGON}": 3,
    }
    assert [source.title for source in found.sources] == ["One"]


def test_several_gpos_are_merged_in_the_order_given(tmp_path: Path) -> None:
    first = gpo(tmp_path / "1", name="First", length=8, entries=(number("Old", 1), number("K", 1)))
    gone = pol.Entry(KEY, "**del.Old", 1, " \0".encode("utf-16-le"))
    second = gpo(tmp_path / "2", name="Second", length=20, entries=(gone,))
    forward, back = imported(first, second), imported(second, first)
    assert values(forward)["[System Access] MinimumPasswordLength"] == 20
    assert values(back)["[System Access] MinimumPasswordLength"] == 8
    [old] = [one for one in forward.settings if str(one.target).endswith("Old")]
    assert (old.comparison, old.sources) == (
        Comparison.ABSENT,
        (f"gpo2:registry.pol {KEY}\\**del.Old",),
    )


def test_an_emptied_key_takes_back_what_came_before(tmp_path: Path) -> None:
    empty = pol.Entry(KEY, "**delvals.", 1, " \0".encode("utf-16-le"))
    found = imported(gpo(tmp_path, entries=(number("A", 1), empty, number("B", 2))))
    assert f"HKLM\\{KEY}\\A" not in values(found)
    assert values(found)[f"HKLM\\{KEY}\\B"] == 2
    assert any("emptying" in text for text in found.warnings)


def test_user_settings_become_settings_of_every_user(tmp_path: Path) -> None:
    gpo(tmp_path)
    user = next(tmp_path.rglob("GPO")) / "User"
    user.mkdir()
    listed = pol.setting(KEY, "List", RegistryType.MULTI_SZ, ("a", "b"))
    (user / "registry.pol").write_bytes(pol.serialise([number("U", 1), listed]))
    found = imported(tmp_path)
    assert values(found)[f"HKCU\\{KEY}\\U"] == 1
    assert f"HKLM\\{KEY}\\U" not in values(found)
    assert any("MULTI_SZ is not imported" in text for text in found.warnings)
    assert read(dump(found).encode(), name="made.yml") == found


def test_only_the_folder_that_a_file_is_in_makes_it_a_users(tmp_path: Path) -> None:
    found = imported(gpo(tmp_path / "User"))
    assert not [text for text in values(found) if text.startswith("HKCU")]


def test_an_emptied_key_of_users_takes_nothing_from_the_machine(tmp_path: Path) -> None:
    gpo(tmp_path, entries=(number("A", 1),))
    user = next(tmp_path.rglob("GPO")) / "User"
    user.mkdir()
    empty = pol.Entry(KEY, "**delvals.", 1, " \0".encode("utf-16-le"))
    (user / "registry.pol").write_bytes(pol.serialise([number("A", 2), empty]))
    found = values(imported(tmp_path))
    assert f"HKLM\\{KEY}\\A" in found
    assert f"HKCU\\{KEY}\\A" not in found


def test_lgpo_text_is_imported_beside_backups(tmp_path: Path) -> None:
    text = tmp_path / "more.txt"
    text.write_text(
        "Computer\nSoftware\\B\nName\nSZ:hello\n\nUser\nSoftware\\B\nName\nDELETE\n\n"
        "User:Administrators\nSoftware\\B\nName\nSZ:x\n"
    )
    found = imported(gpo(tmp_path / "g"), text)
    assert values(found)["HKLM\\Software\\B\\Name"] == "hello"
    assert values(found)["HKCU\\Software\\B\\Name"] is None
    assert any("User:Administrators is not imported" in text for text in found.warnings)


def test_a_trustee_by_name_is_no_setting_for_hosts_of_any_language(tmp_path: Path) -> None:
    gpo(tmp_path)
    file = next(tmp_path.rglob("GptTmpl.inf"))
    body = "[Privilege Rights]\r\nSeBackupPrivilege = *S-1-5-32-544,Sicherungs-Operatoren\r\n"
    text = file.read_bytes().decode("utf-16").replace("[Version]", f"{body}[Version]", 1)
    file.write_bytes(text.encode("utf-16"))
    found = imported(tmp_path)
    assert "[Privilege Rights] SeBackupPrivilege" not in values(found)
    assert any("Sicherungs-Operatoren is no SID" in text for text in found.warnings)


def test_one_damaged_file_stops_the_import(tmp_path: Path) -> None:
    gpo(tmp_path)
    next(tmp_path.rglob("registry.pol")).write_bytes(b"PReg\x01\0\0\0[\0K\0")
    with pytest.raises(DamagedError, match=r"registry\.pol, byte 10"):
        imported(tmp_path)


def test_a_folder_without_policies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no GptTmpl\.inf"):
        imported(tmp_path)


def test_what_was_imported_can_be_written_and_read(tmp_path: Path) -> None:
    odd = pol.setting(KEY, "Odd: 'name' #1", RegistryType.SZ, 'yes: "no"\ttab')
    binary = pol.setting(KEY, "Bytes", RegistryType.BINARY, b"\x00\xff")
    found = imported(gpo(tmp_path, entries=(odd, binary)))
    assert read(dump(found).encode(), name="made.yml") == found


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/gpo is not there")
def test_the_real_backups_are_imported_completely() -> None:
    found = imported(REAL)
    assert len(found.sources) == 2
    # 13 + 41 + 27 + 21 + 87 of the computer policy and 24 of the firewall's.
    assert len(found.settings) == 213
    assert not found.warnings
    assert read(dump(found).encode(), name="made.yml") == found


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/gpo is not there")
def test_real_files_come_back_byte_for_byte() -> None:
    for file in REAL.rglob("registry.pol"):
        assert pol.serialise(pol.parse(file.read_bytes(), name=str(file))) == file.read_bytes()
    for file in REAL.rglob("GptTmpl.inf"):
        once = security.read(file.read_bytes(), name=str(file))
        assert security.read(security.write(once), name="again") == once


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data/gpo is not there")
def test_the_shipped_baseline_says_what_its_files_say() -> None:
    """Every setting that cites the real backups is there, with a value that meets the setting."""

    shipped = load(Path(__file__).resolve().parents[2] / "baselines" / "member-server.yml")
    real = {one.target.folded: one for one in imported(REAL).settings}
    cited = [one for one in shipped.settings if any(s.startswith("nsacyber:") for s in one.sources)]
    assert len(cited) > 150
    for one in cited:
        assert one.target.folded in real, one.id
        assert meets(one, real[one.target.folded].value), one.id
