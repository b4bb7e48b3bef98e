from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsproof.policy.damage import DamagedError
from opsproof.policy.inf import Line, parse
from opsproof.policy.registry import RegistryPath, RegistryType, RegistryValue
from opsproof.policy.security import SecurityTemplate, ServiceSetting, read, write

HEAD = '[Unicode]\r\nUnicode=yes\r\n[Version]\r\nsignature="$CHICAGO$"\r\nRevision=1\r\n'


def wide(text: str) -> bytes:
    return b"\xff\xfe" + text.encode("utf-16-le")


def template(body: str) -> SecurityTemplate:
    return read(wide(HEAD + body), name="t.inf")


def test_a_template_of_every_section_is_understood() -> None:
    found = template(
        "[System Access]\r\nMinimumPasswordLength = 14\r\nLockoutDuration = -1\r\n"
        'NewGuestName = "Visitor"\r\n'
        "[Event Audit]\r\nAuditLogonEvents = 3\r\n"
        "[Kerberos Policy]\r\nMaxTicketAge = 10\r\n"
        "[Privilege Rights]\r\nSeTcbPrivilege =\r\n"
        "SeNetworkLogonRight = *S-1-5-32-544,S-1-5-11,Operators\r\n"
        '[Service General Setting]\r\n"W32Time",2,"D:(A;;CC;;;BA)"\r\n'
        '[Registry Keys]\r\n"MACHINE\\Software",0,"D:P(A;CI;KR;;;BU)"\r\n'
    )
    assert found.system_access == {
        "MinimumPasswordLength": 14,
        "LockoutDuration": -1,
        "NewGuestName": "Visitor",
    }
    assert found.event_audit == {"AuditLogonEvents": 3}
    assert found.kerberos == {"MaxTicketAge": 10}
    assert found.rights == {
        "SeTcbPrivilege": (),
        "SeNetworkLogonRight": ("S-1-5-32-544", "S-1-5-11", "Operators"),
    }
    assert found.services == (ServiceSetting("W32Time", 2, "D:(A;;CC;;;BA)"),)
    assert found.rest == (
        ("Registry Keys", (Line(None, ("MACHINE\\Software", "0", "D:P(A;CI;KR;;;BU)")),)),
    )


@pytest.mark.parametrize(
    ("written", "kind", "data"),
    [
        ('1,"O:BAG:BAD:(A;;RC;;;BA)"', RegistryType.SZ, "O:BAG:BAD:(A;;RC;;;BA)"),
        ("1,plain, with a comma", RegistryType.SZ, "plain,with a comma"),
        ('2,"%windir%\\x"', RegistryType.EXPAND_SZ, "%windir%\\x"),
        ("3,1,0,255", RegistryType.BINARY, b"\x01\x00\xff"),
        ("4,2147483640", RegistryType.DWORD, 2147483640),
        ("4,-1", RegistryType.DWORD, 4294967295),
        ("7,netlogon,samr", RegistryType.MULTI_SZ, ("netlogon", "samr")),
        ('7,first"," still first,second', RegistryType.MULTI_SZ, ("first, still first", "second")),
        ("7,", RegistryType.MULTI_SZ, ("",)),
        ("7", RegistryType.MULTI_SZ, ()),
    ],
)
def test_all_registry_types_of_a_template(
    written: str, kind: RegistryType, data: str | int | bytes | tuple[str, ...]
) -> None:
    found = template(f"[Registry Values]\r\nMACHINE\\Software\\A B\\Name={written}\r\n")
    assert found.registry == (
        RegistryValue(RegistryPath("HKLM", "Software\\A B", "Name"), kind, data),
    )


def test_a_logon_notice_may_end_with_the_nul_that_secedit_leaves() -> None:
    found = template('[Registry Values]\r\nMACHINE\\A\\LegalNoticeText=7,"hello"\0\r\n')
    assert found.registry[0].data == ("hello",)


@pytest.mark.parametrize("code_page", ["cp1252", "gbk"])
def test_ansi_files_are_read_in_their_code_page(code_page: str) -> None:
    name = "Gäste" if code_page == "cp1252" else "来宾"
    data = f'{HEAD}[System Access]\r\nNewGuestName = "{name}"\r\n'.encode(code_page)
    assert read(data, name="a.inf", code_page=code_page).system_access == {"NewGuestName": name}


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        (b"", 0, "holds no section"),
        (wide("[System Access]\r\nA = 1\r\n")[:-1], 48, "ends within a character"),
        (b"A = 1\r\n[X]\r\n", 0, "text stands before the first section"),
        (b"[X]\r\n[Y\r\n", 5, "a section's name does not end"),
        (b'[X]\r\nA = "b\r\n', 5, "a quote does not end"),
        (b"[X]\r\n = 1\r\n", 5, "a line has no key"),
        (b"[X]\r\nA\0B = 1\r\n", 6, "holds a NUL"),
        (b"[X]\r\nA = 1\r\na = 2\r\n", 12, "sets 'a' twice, differently"),
        (b"[X]\r\nA = \xff\r\n", 9, "is not utf-8 text"),
    ],
)
def test_damaged_files_are_refused_with_file_and_offset(
    data: bytes, offset: int, what: str
) -> None:
    with pytest.raises(DamagedError) as caught:
        parse(data, name="GptTmpl.inf")
    assert (caught.value.what, caught.value.where) == (what, f"GptTmpl.inf, byte {offset}")


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (
            "[System Access]\r\nMinimumPasswordLength = long\r\n",
            "MinimumPasswordLength: 'long' is not a number",
        ),
        (
            "[Registry Values]\r\nMACHINE\\A\\B=5,1\r\n",
            "MACHINE\\A\\B: a template has no registry type 5",
        ),
        ("[Registry Values]\r\nHKLM\\A\\B=4,1\r\n", "'HKLM\\\\A\\\\B' is not a registry value"),
        (
            "[Registry Values]\r\nMACHINE\\A\\B=4,4294967296\r\n",
            "MACHINE\\A\\B: 4294967296 has no 32 bits",
        ),
        ("[Privilege Rights]\r\nSeTcb,rivilege =\r\n", "'SeTcb,rivilege' is not a user right"),
        ("[Registry Values]\r\nMACHINE\\A\\B=3,256\r\n", "MACHINE\\A\\B: not bytes"),
        (
            '[Service General Setting]\r\n"W32Time",7,""\r\n',
            "a service has a name, a start mode (2, 3, 4) and a descriptor",
        ),
    ],
)
def test_lines_that_their_section_cannot_hold_are_refused(body: str, what: str) -> None:
    with pytest.raises(DamagedError) as caught:
        template(body)
    assert caught.value.what == what


def test_a_file_without_the_signature_is_no_template() -> None:
    with pytest.raises(DamagedError, match="signature"):
        read(b"[Unicode]\r\nUnicode=yes\r\n", name="x.inf")


PRINTABLE = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff"),
    max_size=12,
)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9 ]{0,8}[A-Za-z]", fullmatch=True)
RIGHTS = st.from_regex(r"Se[A-Za-z]{1,8}(Privilege|Right)", fullmatch=True)
SIDS = st.from_regex(r"S-1-5-[0-9]{1,3}(-[0-9]{1,9}){1,3}", fullmatch=True)
VALUES = st.one_of(
    st.tuples(st.just(RegistryType.SZ), PRINTABLE),
    st.tuples(st.just(RegistryType.EXPAND_SZ), PRINTABLE),
    st.tuples(st.just(RegistryType.BINARY), st.binary(min_size=1, max_size=5)),
    st.tuples(st.just(RegistryType.DWORD), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(RegistryType.MULTI_SZ), st.lists(PRINTABLE, max_size=3).map(tuple)),
)


@given(
    st.dictionaries(NAMES, st.integers(-1, 99999), max_size=3),
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.dictionaries(RIGHTS, st.lists(SIDS, max_size=3).map(tuple), max_size=3),
    st.lists(st.tuples(NAMES, st.integers(2, 4), PRINTABLE), max_size=2, unique_by=lambda s: s[0]),
)
def test_what_is_written_reads_back_the_same(
    access: dict[str, int],
    values: dict[str, tuple[RegistryType, str | int | bytes | tuple[str, ...]]],
    rights: dict[str, tuple[str, ...]],
    services: list[tuple[str, int, str]],
) -> None:
    folded = {name.lower(): name for name in (*access, *values, *rights)}
    made = SecurityTemplate(
        system_access={n: v for n, v in access.items() if folded[n.lower()] == n},
        registry=tuple(
            RegistryValue(RegistryPath("HKLM", "Software\\A", n), kind, data)
            for n, (kind, data) in values.items()
            if folded[n.lower()] == n
        ),
        rights={n: who for n, who in rights.items() if folded[n.lower()] == n},
        services=tuple(ServiceSetting(*one) for one in services),
    )
    assert read(write(made), name="again.inf") == made
