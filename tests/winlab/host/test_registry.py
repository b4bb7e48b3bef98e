"""The registry: names of hives, typed values, mirrored keys, and layers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winlab.host.certificates import Certificate
from winlab.host.errors import NotModelledError, WindowsError
from winlab.host.host import Host, HostSpec
from winlab.host.registry import Registry, RegType, RegValue

NOW = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)
CURRENT = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"


@pytest.fixture
def host() -> Host:
    return Host(HostSpec(name="reg", admin_password="x"), lambda: NOW)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("HKEY_LOCAL_MACHINE\\A", "HKLM\\A"),
        ("hklm:\\A\\B\\", "HKLM\\A\\B"),
        ("HKCU\\X", "HKU\\S-1-5-18\\X"),
        ("HKCR\\.txt", "HKLM\\SOFTWARE\\Classes\\.txt"),
        ("HKLM\\SYSTEM\\ControlSet001\\Control", "HKLM\\SYSTEM\\CurrentControlSet\\Control"),
    ],
)
def test_hive_names_lead_to_one_key(path: str, expected: str) -> None:
    assert Registry.normalise(path) == expected


def test_unknown_hive_is_refused() -> None:
    with pytest.raises(WindowsError) as caught:
        Registry.normalise("HKXX\\A")
    assert caught.value.code == 87


@pytest.mark.parametrize(
    ("release", "build"), [("2016", "14393"), ("2019", "17763"), ("2022", "20348")]
)
def test_base_keys_name_the_release(release: str, build: str) -> None:
    host = Host(HostSpec(name="r", release=release, admin_password="x"), lambda: NOW)
    value = host.registry.value(CURRENT, "currentBUILD")
    assert value == RegValue("CurrentBuild", RegType.REG_SZ, build)


def test_values_are_changed_and_deleted_without_touching_other_hosts(host: Host) -> None:
    other = Host(HostSpec(name="o", admin_password="x"), lambda: NOW)
    host.registry.set_value(CURRENT, "ProductName", "mine")
    host.registry.delete_value(CURRENT, "EditionID")
    host.registry.delete_key("HKLM\\SOFTWARE\\Policies")
    assert host.registry.value(CURRENT, "ProductName") != other.registry.value(
        CURRENT, "ProductName"
    )
    assert other.registry.value(CURRENT, "EditionID") is not None
    assert not host.registry.exists("HKLM\\SOFTWARE\\Policies\\Microsoft")
    assert "Policies" not in host.registry.subkeys("HKLM\\SOFTWARE")
    host.registry.create_key("HKLM\\SOFTWARE\\Policies")
    assert host.registry.subkeys("HKLM\\SOFTWARE\\Policies") == []


def test_services_show_in_the_registry_and_their_start_can_be_set_there(host: Host) -> None:
    key = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Spooler"
    start = host.registry.value(key, "Start")
    assert start is not None
    assert start.data == 2
    assert "Spooler" in host.registry.subkeys("HKLM\\SYSTEM\\CurrentControlSet\\Services")
    host.registry.set_value(key, "Start", 4)
    assert host.services.get("Spooler").start_mode == "disabled"


def test_keys_below_a_mirrored_key_keep_their_own_values(host: Host) -> None:
    key = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\W32Time"
    assert set(host.registry.subkeys(key)) == {"Parameters", "TriggerInfo"}
    assert host.registry.value(key + "\\Parameters", "Type") == RegValue(
        "Type", RegType.REG_SZ, "NTP"
    )


def test_certificates_show_in_the_registry(host: Host) -> None:
    certificate = Certificate(der=b"0\x00")
    host.certificates.add("WebHosting", certificate)
    key = "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\WebHosting\\Certificates"
    assert host.registry.subkeys(key) == [certificate.thumbprint]


def test_deleting_a_mirrored_key_deletes_what_it_mirrors_or_fails_by_name(host: Host) -> None:
    certificate = Certificate(der=b"0\x00")
    host.certificates.add("My", certificate)
    stores = "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates"
    host.registry.delete_key(f"{stores}\\MY\\Certificates\\{certificate.thumbprint}")
    assert host.certificates.list("My") == []
    services = "HKLM\\SYSTEM\\CurrentControlSet\\Services"
    host.registry.delete_key(f"{services}\\WalletService")
    assert host.services.find("WalletService") is None
    assert not host.registry.exists(f"{services}\\WalletService")
    with pytest.raises(NotModelledError, match="TimeZoneInformation"):
        host.registry.delete_key("HKLM\\SYSTEM\\CurrentControlSet\\Control\\TimeZoneInformation")
    with pytest.raises(NotModelledError, match="ImagePath"):
        host.registry.delete_value(f"{services}\\Spooler", "ImagePath")


_NAMES = st.text(st.sampled_from("abAB01 "), min_size=1, max_size=4).map(str.strip).filter(bool)
_DATA = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=10),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=10),
    st.tuples(st.text("xy", min_size=1, max_size=3)),
)


@given(st.lists(st.tuples(_NAMES, _NAMES, _DATA), max_size=12))
def test_last_write_wins_and_restore_forgets(
    writes: list[tuple[str, str, str | int | bytes | tuple[str, ...]]],
) -> None:
    host = Host(HostSpec(name="reg", admin_password="x"), lambda: NOW)
    snapshot, before = host.snapshot(), host.registry.dump()
    expected = {}
    for key, name, data in writes:
        host.registry.set_value(f"HKLM\\SOFTWARE\\T\\{key}", name, data)
        expected[key.lower(), name.lower()] = data
    for (key, name), data in expected.items():
        value = host.registry.value(f"HKLM\\software\\T\\{key.upper()}", name.upper())
        assert value is not None
        assert value.data == data
    host.restore(snapshot)
    assert host.registry.dump() == before
