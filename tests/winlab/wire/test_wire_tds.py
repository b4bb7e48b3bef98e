"""TDS on bytes: the examples of [MS-TDS] section 4, every cut, hostile requests."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winlab.wire import sqlr, tds, tds_requests, tds_tokens
from winlab.wire.tds import Encryption, Message, PacketReader, PacketType, PacketWriter, TdsError
from winlab.wire.tds_login import Version, agreed, clear_password, read_login
from winlab.wire.tds_requests import Transact
from winlab.wire.tds_tokens import Column, DoneStatus, Note
from winlab.wire.tds_types import MAX, ColumnType, cell, guid_bytes, guid_text, type_info
from winlab.wire.tds_values import Reader, read_value

PRELOGIN = bytes.fromhex(
    "12 01 00 2F 00 00 01 00 00 00 1A 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 04 04 00 26 "
    "00 01 FF 09 00"
    "00 00 00 00 01 00 B8 0D 00 00 01"
)
LOGIN = bytes.fromhex(
    "10 01 00 90 00 00 01 00 88 00 00 00 02 00 09 72 00 10 00 00 00 00 00 07 00 01 00 00 00 00 00 "
    "00 E0 03 00 00"
    "00 00 00 00 09 04 00 00 5E 00 08 00 6E 00 02 00 72 00 00 00 72 00 07 00 80 00 00 00 80 00 00 "
    "00 80 00 04 00"
    "88 00 00 00 88 00 00 00 00 50 8B E2 B7 8F 88 00 00 00 88 00 00 00 88 00 00 00 00 00 00 00 73 "
    "00 6B 00 6F 00"
    "73 00 74 00 6F 00 76 00 31 00 73 00 61 00 4F 00 53 00 51 00 4C 00 2D 00 33 00 32 00 4F 00 44 "
    "00 42 00 43 00"
)
BATCH = bytes.fromhex(
    "01 01 00 5C 00 00 01 00 16 00 00 00 12 00 00 00 02 00 00 00 00 00 00 00 00 01 00 00 00 00 0A "
    "00 73 00 65 00"
    "6C 00 65 00 63 00 74 00 20 00 27 00 66 00 6F 00 6F 00 27 00 20 00 61 00 73 00 20 00 27 00 62 "
    "00 61 00 72 00"
    "27 00 0A 00 20 00 20 00 20 00 20 00 20 00 20 00 20 00 20 00"
)
CALL = bytes.fromhex(
    "03 01 00 2F 00 00 01 00 16 00 00 00 12 00 00 00 02 00 00 00 00 00 00 00 00 01 00 00 00 00 04 "
    "00 66 00 6F 00"
    "6F 00 33 00 00 00 00 02 26 02 00"
)


def message(data: bytes) -> Message:
    [found] = PacketReader().feed(data)
    return found


def test_prelogin_of_section_4_1() -> None:
    found = message(PRELOGIN)
    assert found.type is PacketType.PRELOGIN
    asked = tds.read_prelogin(found.data)
    assert asked == tds.Prelogin((9, 0, 0), Encryption.ON, "", mars=True)


def test_login_of_section_4_2() -> None:
    login = read_login(message(LOGIN).data)
    assert (login.host, login.user, login.program) == ("skostov1", "sa", "OSQL-32")
    assert (login.library, login.database, login.password) == ("ODBC", "", "")
    assert (login.tds, login.packet_size, login.integrated) == (0x72090002, 4096, False)


def test_batch_of_section_4_6_and_its_answer() -> None:
    found = message(BATCH)
    text = tds_requests.read_batch(found.data, Version.V7_2)
    assert text == "\nselect 'foo' as 'bar'\n        "
    kind = ColumnType("varchar", 3)
    assert type_info(kind, Version.V7_2) == bytes.fromhex("A7 03 00 09 04 D0 00 34")
    column = Column("bar", kind)
    assert tds_tokens.row([column], ["foo"], Version.V7_2) == bytes.fromhex("D1 03 00 66 6F 6F")
    done = tds_tokens.done(DoneStatus.COUNT, 1, Version.V7_2, command=0xC1)
    assert done == bytes.fromhex("FD 10 00 C1 00 01 00 00 00 00 00 00 00")
    assert len(tds_tokens.done(0, 1, Version.V7_1)) == 9


def test_call_of_section_4_8() -> None:
    [call] = tds_requests.read_calls(message(CALL).data, Version.V7_2)
    [parameter] = call.parameters
    assert call.procedure == "foo3"
    assert (parameter.name, parameter.type.name, parameter.value) == ("", "smallint", None)


def test_a_password_is_hidden_as_written_in_2_2_6_4() -> None:
    plain = "Pä55 王".encode("utf-16-le")
    hidden = bytes(((byte << 4 | byte >> 4) & 0xFF) ^ 0xA5 for byte in plain)
    assert clear_password(hidden) == plain


@pytest.mark.parametrize(
    ("client", "forced", "answer"),
    [
        (Encryption.OFF, False, Encryption.OFF),
        (Encryption.ON, False, Encryption.ON),
        (Encryption.REQ, False, Encryption.ON),
        (Encryption.NOT_SUP, False, Encryption.NOT_SUP),
        (Encryption.OFF, True, Encryption.REQ),
        (Encryption.ON, True, Encryption.ON),
        (Encryption.NOT_SUP, True, Encryption.REQ),
    ],
)
def test_encryption_is_negotiated(client: Encryption, forced: bool, answer: Encryption) -> None:
    assert tds.negotiated(client, forced=forced) is answer
    written = tds.write_prelogin((10, 0, 6000), answer)
    read = tds.read_prelogin(written)
    assert (read.version, read.encryption) == ((10, 0, 6000), answer)


def test_a_server_answers_what_both_speak() -> None:
    assert agreed(Version.V7_4, Version.V7_3A) is Version.V7_3A
    assert agreed(Version.V7_2, Version.V7_4) is Version.V7_2
    assert agreed(0x71000000, Version.V7_3A) is Version.V7_1
    with pytest.raises(TdsError):
        agreed(0x04020000, Version.V7_4)
    acknowledged = tds_tokens.login_ack(Version.V7_3A, "Microsoft SQL Server", (10, 0, 6000))
    assert acknowledged[3:8] == bytes.fromhex("01 73 0A 00 03")
    assert acknowledged[-4:] == bytes.fromhex("0A 00 17 70")


@given(cut=st.lists(st.integers(1, 60), max_size=20))
def test_requests_are_read_however_they_are_cut(cut: list[int]) -> None:
    stream = PRELOGIN + LOGIN + BATCH + CALL
    reader, found, at = PacketReader(), [], 0
    for size in [*cut, len(stream)]:
        found += reader.feed(stream[at : at + size])
        at += size
    types = [PacketType.PRELOGIN, PacketType.LOGIN7, PacketType.SQL_BATCH, PacketType.RPC]
    assert [one.type for one in found] == types


@given(data=st.binary(max_size=3000), size=st.integers(512, 1024))
def test_long_answers_become_packets_and_messages_again(data: bytes, size: int) -> None:
    writer = PacketWriter(size, spid=51, type=PacketType.SQL_BATCH)
    out = writer.write(data[:700]) + writer.write(data[700:]) + writer.end()
    assert all(int.from_bytes(out[at + 2 : at + 4], "big") <= size for at in (0,))
    assert message(out).data == data


def test_an_attention_ends_the_message_that_was_sent() -> None:
    reader = PacketReader()
    begun = bytes.fromhex("01 00 00 0A 00 00 01 00 41 00")
    attention = bytes.fromhex("06 01 00 08 00 00 01 00")
    assert reader.feed(begun) == []
    assert [one.type for one in reader.feed(attention + BATCH)] == [
        PacketType.ATTENTION,
        PacketType.SQL_BATCH,
    ]


@pytest.mark.parametrize("data", ["00 01 00 08 00 00 00 00", "01 01 00 07 00 00 00 00"])
def test_what_is_no_packet_is_refused(data: str) -> None:
    with pytest.raises(TdsError):
        PacketReader().feed(bytes.fromhex(data))


@given(data=st.binary(max_size=300))
def test_hostile_requests_are_errors_and_nothing_else(data: bytes) -> None:
    for read in (
        lambda: tds.read_prelogin(data),
        lambda: read_login(data),
        lambda: tds_requests.read_calls(data, Version.V7_1),
        lambda: tds_requests.read_calls(data, Version.V7_4),
        lambda: tds_requests.read_transaction(data, Version.V7_1),
    ):
        try:
            read()
        except TdsError:
            continue


@given(at=st.integers(8, len(LOGIN) - 1), byte=st.integers(0, 255))
def test_a_damaged_login_is_read_or_refused(at: int, byte: int) -> None:
    damaged = bytearray(LOGIN[8:])
    damaged[at - 8] = byte
    try:
        read_login(bytes(damaged))
    except TdsError:
        return


VALUES: list[tuple[ColumnType, Any]] = [
    (ColumnType("int"), -7),
    (ColumnType("bigint"), 2**62),
    (ColumnType("tinyint"), 200),
    (ColumnType("bit"), True),
    (ColumnType("float"), 1.5),
    (ColumnType("decimal", precision=38, scale=4), Decimal("-1234567890123456789.1234")),
    (ColumnType("datetime"), datetime(2026, 1, 2, 3, 4, 5)),  # noqa: DTZ001 - SQL Server's times have no zone
    (ColumnType("date"), date(1, 1, 1)),
    (ColumnType("time", scale=7), time(23, 59, 59, 999999)),
    (ColumnType("datetime2", scale=3), datetime(9999, 12, 31, 1, 2, 3, 4000)),  # noqa: DTZ001 - as above
    (ColumnType("uniqueidentifier"), "01020304-0506-0708-090A-0B0C0D0E0F10"),
    (ColumnType("nvarchar", 20), "王伟𠮷"),
    (ColumnType("nvarchar", MAX), "考" * 70_000),
    (ColumnType("varbinary", MAX), b"\0\1" * 40_000),
    (ColumnType("varbinary", 5), b""),
    (ColumnType("varchar", 10), "abc"),
]


@pytest.mark.parametrize(("kind", "value"), VALUES, ids=lambda one: getattr(one, "name", None))
def test_a_value_is_read_as_it_was_written(kind: ColumnType, value: Any) -> None:
    for wanted in (value, None):
        data = type_info(kind, Version.V7_4) + cell(kind, wanted, Version.V7_4)
        source = Reader(data)
        found, read = read_value(source)
        assert (found.name, read, source.left) == (kind.name, wanted, 0)


def test_guids_have_three_groups_in_reverse() -> None:
    text = "01020304-0506-0708-090A-0B0C0D0E0F10"
    assert guid_bytes(text) == bytes.fromhex("04030201 0605 0807 090A 0B0C0D0E0F10")
    assert guid_text(guid_bytes(text)) == text


def test_nulls_are_bits_from_7_3b_on() -> None:
    columns = [Column(f"c{n}", ColumnType("int")) for n in range(9)]
    values: list[Any] = [1, None, 3, 4, 5, 6, 7, 8, None]
    row = tds_tokens.row(columns, values, Version.V7_3B)
    assert row[:3] == bytes([0xD2, 0b10, 0b1])
    assert len(row) == 3 + 7 * 5
    assert tds_tokens.row(columns, values, Version.V7_3A)[:1] == b"\xd1"


def test_old_clients_get_old_types() -> None:
    assert type_info(ColumnType("nvarchar", MAX), Version.V7_1)[:1] == b"\x63"
    metadata = tds_tokens.col_metadata([Column("d", ColumnType("date"))], Version.V7_2)
    assert metadata[3 + 6] == 0xE7


def test_notes_are_errors_above_ten() -> None:
    error = Note(208, 1, 16, "Invalid object name 'x'.", "SQL-01", 3).token(Version.V7_3A)
    assert error[0] == 0xAA
    assert error[3:9] == bytes.fromhex("D0 00 00 00 01 10")
    assert error[-4:] == bytes.fromhex("03 00 00 00")
    assert Note(5701, 2, 0, "x", "s").token(Version.V7_1)[0] == 0xAB


def test_the_browser_tells_what_it_has() -> None:
    one = sqlr.Listed("SQL-01", "EXAMS", "11.0.7001.0", 1433)
    said = "ServerName;SQL-01;InstanceName;EXAMS;IsClustered;No;Version;11.0.7001.0;tcp;1433;;"
    whole = b"\5" + len(said).to_bytes(2, "little") + said.encode()
    assert sqlr.answer(b"\x04exams\0", [one]) == whole
    assert sqlr.answer(b"\x03", [one]) == whole
    for request in (b"", b"\x04other\0", b"\x09", b"\x03\x03"):
        assert sqlr.answer(request, [one]) is None


def test_transactions_are_asked_for_and_acknowledged() -> None:
    assert tds_requests.read_transaction(b"\5\0\2\0", Version.V7_1) == Transact("begin", "", 2)
    again = tds_requests.read_transaction(b"\7\0\0\1\0\0", Version.V7_1)
    assert again == Transact("commit", restart=True)
    began = tds_tokens.transaction_change("begin", 1)
    assert began == bytes.fromhex("E3 0B 00 08 08 01 00 00 00 00 00 00 00 00")
    ended = tds_tokens.transaction_change("rollback", 1)
    assert ended == bytes.fromhex("E3 0B 00 0A 00 08 01 00 00 00 00 00 00 00")
