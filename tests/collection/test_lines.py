"""The command lines, and settings that no inventory may ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.collection.lab import Clock, Collector, make_host

from opsproof.collection.listing import Folder, errors, folders_of, listing_command
from opsproof.collection.look import Channel, Look, look_command
from opsproof.collection.model import DataSource, Item, Kind, State
from opsproof.collection.plan import LARGEST, Home, make_plan
from opsproof.collection.role import Settings, looking
from opsproof.errors import UsageError

NOW = datetime(2026, 11, 22, tzinfo=UTC)
LOOK = Look(
    channels=(Channel(name="Security", state=State.PLANNED, size=LARGEST + 1),),
    sites=None, central="Site", central_folder="", httperr=True, httperr_folder="C:\\x",
    free=None, leftover=False,
)  # fmt: skip


@pytest.mark.parametrize("name", ["", 'a"b', "a & b", "a|b", "%PATH%", "a>b", "a\r\nb", "a!b"])
def test_a_channel_that_would_be_a_command_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="command line"):
        look_command([name], asked_at=NOW, retention_days=183, scratch="%TEMP%\\x")


@pytest.mark.parametrize("pattern", ["", '*.log" & del x', "a\\b", "%X%", "a/b", "c:*"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError):
        folders_of(LOOK, [DataSource(name="x", folder="D:\\x", pattern=pattern)])


@pytest.mark.parametrize("folder", ["", 'D:\\x" & calc', "D:\\*", "D:\\a|b", "D:\\"])
def test_a_folder_that_would_be_a_command_is_refused(folder: str) -> None:
    with pytest.raises(UsageError):
        folders_of(LOOK, [DataSource(name="x", folder=folder)])


def test_a_line_that_cmd_would_not_read_whole_is_refused_by_name() -> None:
    folders = [
        Folder(kind=Kind.IIS, name=str(n), path=f"D:\\logs\\site{n}", pattern="*.log")
        for n in range(80)
    ]
    with pytest.raises(UsageError, match=r"cmd\.exe reads 8191"):
        listing_command(folders, newest_days=183)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"retention_days": 182}, "less than the law's six months"),
        ({"part_mb": 0}, "no size of a part"),
        ({"data": (DataSource(name="a", folder="D:\\a"), DataSource(name="a", folder="D:\\b"))}, "twice"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    lab = Collector(make_host(Clock()), Clock(), tmp_path)
    settings: Settings = msgspec.structs.replace(lab.settings(), **change)
    with pytest.raises(UsageError, match=message):
        looking(settings)


def test_a_log_that_no_cabinet_holds_is_told() -> None:
    plan = make_plan(LOOK, [], Home(), since=NOW, until=NOW, part_bytes=1 << 20)
    [(item, state)] = plan.left
    assert (item.path, state) == ("Security", State.TOO_LARGE)
    assert plan.parts == ()


def test_parts_are_packed_while_the_scratch_drive_has_room() -> None:
    channels = tuple(Channel(name=str(n), state=State.PLANNED, size=100 << 20) for n in range(5))
    look = replace(LOOK, channels=channels, free=(256 << 20) + (200 << 20))
    plan = make_plan(look, [], Home(), since=NOW, until=NOW, part_bytes=100 << 20)
    assert (len(plan.parts), len(plan.left)) == (3, 2)
    assert {state for _, state in plan.left} == {State.NO_SPACE}


def test_codes_of_robocopy_are_read_whatever_the_words() -> None:
    text = (
        "2026/11/22 09:15:00 错误 32 (0x00000020) 正在复制文件 C:\\a\\签名.csv\r\n另一个程序正在使用\r\n"
        "2026/11/22 09:15:00 ERROR 5 (0x00000005) Copying File C:\\a\\b.csv\r\nAccess is denied.\r\n"
    )
    assert errors(text) == {"c:\\a\\签名.csv": 32, "c:\\a\\b.csv": 5}


def test_an_item_travels_as_json() -> None:
    item = Item(kind=Kind.DATA, path="D:\\日志\\a.csv", size=1, since="2026-11-22T00:00:00Z")
    assert msgspec.json.decode(msgspec.json.encode(item), type=Item) == item


def test_a_schema_map_is_one_of_the_project_or_a_path(tmp_path: Path) -> None:
    lab = Collector(make_host(Clock()), Clock(), tmp_path)
    lab.data = (
        DataSource(name="a", folder="D:\\a", schema="sign.yml"),
        DataSource(name="b", folder="D:\\b", schema="sign.yml"),
        DataSource(name="c", folder="D:\\c", schema="/etc/maps/other.yml"),
    )
    assert lab.settings().schema_files() == ("/project/schemas/sign.yml", "/etc/maps/other.yml")
