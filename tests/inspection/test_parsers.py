from __future__ import annotations

from datetime import UTC, datetime

import pytest

from opsproof.errors import IncompleteError
from opsproof.inspection import parsers

NETSTAT_ZH = """
活动连接

  协议  本地地址          外部地址        状态           PID
  TCP    0.0.0.0:8443           0.0.0.0:0              侦听            4
  TCP    [::]:5986              [::]:0                 LISTENING       4
  TCP    10.0.0.5:5986          10.0.0.9:51234         ESTABLISHED     4
  UDP    0.0.0.0:123            *:*                                    988
"""


def test_listeners_are_known_by_their_foreign_address() -> None:
    assert [(item.port, item.address) for item in parsers.listeners(NETSTAT_ZH)] == [
        (5986, "[::]"),
        (8443, "0.0.0.0"),
    ]


def test_volumes_skip_drives_without_a_size() -> None:
    text = (
        "\nNode,DeviceID,FileSystem,FreeSpace,Size\nA,D:,NTFS,10,100\nA,C:,NTFS,50,200\nA,E:,,,\n"
    )
    assert [(v.letter, v.size, v.free) for v in parsers.volumes(text)] == [
        ("C", 200, 50),
        ("D", 100, 10),
    ]


def test_wmic_without_a_table_is_an_error() -> None:
    with pytest.raises(IncompleteError, match="wmic printed no table"):
        parsers.volumes("ERROR:\nDescription = RPC\n")


def test_appcmd_objects_are_their_attributes() -> None:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<appcmd>\n'
        '<SITE SITE.NAME="考务" SITE.ID="1" bindings="http/*:8080:" state="Started" />\n</appcmd>'
    )
    assert parsers.appcmd(text) == [
        {"SITE.NAME": "考务", "SITE.ID": "1", "bindings": "http/*:8080:", "state": "Started"}
    ]


@pytest.mark.parametrize("text", ["", "ERROR ( message:x )", "<other/>", "<appcmd>"])
def test_appcmd_errors_are_no_empty_list(text: str) -> None:
    with pytest.raises(IncompleteError, match="appcmd printed"):
        parsers.appcmd(text)


def test_entities_are_refused() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "x">]><appcmd>&b;</appcmd>'
    with pytest.raises(IncompleteError, match="appcmd printed no XML"):
        parsers.appcmd(bomb)


def test_cim_dates_carry_their_zone() -> None:
    moment = parsers.cim_datetime("20261122170000.500000+480")
    assert moment == datetime(2026, 11, 22, 9, 0, 0, 500000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "2026-11-22", "20261122170000.500000+48"])
def test_other_dates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no CIM date"):
        parsers.cim_datetime(text)


def test_log_info_keeps_its_property_names() -> None:
    text = "creationTime: 2026-01-01T00:00:00.000Z\nnumberOfLogRecords: 12\noldestRecordNumber: 5\n"
    assert parsers.log_info(text)["oldestRecordNumber"] == "5"


def test_registry_blobs_take_only_blob_values() -> None:
    text = "\nHKEY_LOCAL_MACHINE\\X\\AB\n    Blob    REG_BINARY    0102FF\n    Other    REG_BINARY    00\n"
    assert parsers.registry_blobs(text) == [b"\x01\x02\xff"]


def test_a_comma_in_a_value_is_noticed() -> None:
    with pytest.raises(IncompleteError, match="4 cells under 3 columns"):
        parsers.wmic_csv("Node,Name,State\nA,Print, Spooler,Running\n")
