"""What comes home from a modelled host, and what does not, with its reason."""

from __future__ import annotations

import hashlib
import random
import stat
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cabarchive import CabArchive
from tests.collection.lab import (
    IIS,
    SCRATCH,
    START,
    Clock,
    Collector,
    add_event,
    files,
    fill,
    left,
    make_host,
    web_log,
)

from opsproof.collection.look import Channel, read_look
from opsproof.collection.model import DataSource, State
from opsproof.collection.pack import pack_command, pack_script, read_pack
from opsproof.collection.plan import _is_below
from opsproof.collection.role import Brought, bring
from opsproof.collection.role import seen as both_answers
from opsproof.errors import IncompleteError
from opsproof.logs.readers import evtx
from opsproof.logs.readers.base import Log, Notes
from winlab.host.evtx_writer import evtx_bytes
from winlab.host.iis import CentralLog

both_languages = pytest.mark.parametrize("lab", ["zh-CN", "en-US"], indirect=True)


def home(lab: Collector, path: str) -> bytes:
    return (lab.root / "staging" / path).read_bytes()


@both_languages
def test_events_and_web_logs_come_home_as_they_are(lab: Collector) -> None:
    brought = lab.collect()
    assert not brought.left
    assert files(brought) == {
        "events/Application.evtx": "Application",
        "events/Security.evtx": "Security",
        "events/System.evtx": "System",
        "iis/W3SVC1/u_ex261122.log": f"{IIS}\\W3SVC1\\u_ex261122.log",
        "iis/W3SVC2/u_ex261122.log": f"{IIS}\\W3SVC2\\u_ex261122.log",
    }
    for one in brought.staged:
        assert hashlib.sha256(home(lab, one.file)).hexdigest() == one.sha256
    assert home(lab, "logs/web01/iis/W3SVC1/u_ex261122.log") == lab.host.files.read(
        f"{IIS}\\W3SVC1\\u_ex261122.log"
    )
    [cabinet] = brought.cabinets
    inside = CabArchive(Path(cabinet["path"]).read_bytes())
    assert [name.partition("\\")[2] for name in sorted(inside)] == [
        "Security.evtx", "System.evtx", "Application.evtx", "u_ex261122.log", "u_ex261122.log",
    ]  # fmt: skip
    assert hashlib.sha256(Path(cabinet["path"]).read_bytes()).hexdigest() == brought.staged[0].part


def test_nothing_stays_on_the_host_and_nobody_else_reads_what_came(lab: Collector) -> None:
    before = lab.host.files.dump()["changed"]
    brought = lab.collect()
    assert lab.host.files.dump()["changed"] == before
    for path in (lab.root / "store").rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    assert brought.cabinets


def test_looking_writes_nothing(lab: Collector) -> None:
    lab.host.guard.armed = True
    lab.look()
    assert lab.host.guard.violations == []
    assert not (lab.root / "store").exists()


def test_looking_removes_nothing_that_waits(lab: Collector) -> None:
    lab.collect()
    before = {path.name: path.read_bytes() for path in (lab.root / "store/web01").iterdir()}
    lab.sealed = lab.settings().now
    lab.look()
    assert {path.name: path.read_bytes() for path in (lab.root / "store/web01").iterdir()} == before


def test_a_second_collection_fetches_only_what_is_new(lab: Collector) -> None:
    first = lab.collect()
    lab.sealed = lab.settings().now
    lab.clock.forward(minutes=5)
    add_event(lab.host, lab.clock)
    second = lab.collect()
    assert set(files(second)) == {
        "events/Application.evtx",
        "events/Security.evtx",
        "events/System.evtx",
    }
    assert {one.since for one in second.staged} == {first.until}
    # The newest file of each site may be open; the host itself says that it has not changed.
    assert left(second) == {
        f"{IIS}\\W3SVC{number}\\u_ex261122.log": (State.UNCHANGED, 0) for number in (1, 2)
    }


def test_a_log_that_has_grown_is_fetched_whole_and_counts_from_where_it_ended(
    lab: Collector,
) -> None:
    first = lab.collect()
    lab.sealed = lab.settings().now
    lab.clock.forward(minutes=5)
    path = f"{IIS}\\W3SVC1\\u_ex261122.log"
    lab.host.files.write(path, web_log("22", 3, lab.clock), append=True)
    second = lab.collect()
    [grown] = [one for one in second.staged if one.path == path]
    assert grown.since == first.until
    assert home(lab, grown.file) == lab.host.files.read(path)


def test_of_a_grown_log_that_waits_twice_the_longer_copy_is_audited(lab: Collector) -> None:
    """Its lines would count twice in every burst."""
    first = lab.collect()
    lab.clock.forward(minutes=5)
    path = f"{IIS}\\W3SVC1\\u_ex261122.log"
    lab.host.files.write(path, web_log("22", 3, lab.clock), append=True)
    second = lab.collect()
    [grown] = [one for one in second.staged if one.path == path]
    assert home(lab, grown.file) == lab.host.files.read(path)
    [before] = [one for one in first.staged if one.path == path]
    assert grown.since == before.since
    assert second.parts_resumed == 1


def test_a_file_whose_size_the_folder_tells_too_late_is_fetched(lab: Collector) -> None:
    """NTFS brings a folder's entry of an open file up to date when it is closed."""
    lab.collect()
    lab.sealed = lab.settings().now
    path = f"{IIS}\\W3SVC1\\u_ex261122.log"
    old = lab.host.files.stat(path).entry.modified
    changed = lab.host.files.read(path)[:-5] + b"404\r\n"
    lab.host.files.write(path, changed)
    lab.host.files.set_times(path, modified=old)
    assert changed == home(lab, {v: k for k, v in files_at(lab.collect()).items()}[path])


def files_at(brought: Brought) -> dict[str, str]:
    return {one.file: one.path for one in brought.staged}


def test_a_cut_transfer_is_noticed_and_tried_again(lab: Collector) -> None:
    lab.broken = 2
    brought = lab.collect()
    assert (brought.retries, brought.parts_failed, brought.parts_fetched) == (2, 0, 1)
    assert not brought.left


def test_a_log_that_was_removed_before_it_came_whole_is_told(lab: Collector) -> None:
    """Whoever deletes today's log takes what was written since the last collection."""
    complete, written = (f"{IIS}\\W3SVC{number}\\u_ex261122.log" for number in (1, 2))
    lab.collect()
    lab.clock.forward(hours=25)
    lab.host.files.write(f"{IIS}\\W3SVC1\\u_ex261123.log", web_log("23", 3, lab.clock))
    lab.host.files.write(written, web_log("23", 3, lab.clock), append=True)
    lab.collect()
    assert not lab.plan.gone
    # A housekeeping script clears away what is complete, a thief what is not.
    lab.host.files.remove(complete)
    lab.host.files.remove(written)
    lab.clock.forward(hours=25)
    lab.collect()
    assert lab.plan.gone == (written.lower(),)
    assert lab.look().gone == ()


@pytest.mark.parametrize("hidden", ["folder", "refused"])
def test_what_nobody_could_list_is_not_gone(lab: Collector, hidden: str) -> None:
    lab.collect()
    lab.clock.forward(hours=1)
    if hidden == "folder":
        lab.host.files.rmtree(f"{IIS}\\W3SVC1")
        lab.host.files.rmtree(f"{IIS}\\W3SVC2")
        lab.host.files.rmtree(IIS)
    else:
        lab.host.accounts.create_user("joe", "x")
        lab.user = "joe"
    assert lab.look().gone == ()


@pytest.mark.parametrize(
    ("folder", "path", "below"),
    [
        ("%SystemDrive%\\inetpub\\logs\\LogFiles", "c:\\inetpub\\logs\\logfiles\\w3svc1\\a.log", True),
        ("D:\\Sign\\", "d:\\sign\\a.csv", True),
        ("D:\\Sign", "d:\\signatures\\a.csv", False),
        ("D:\\Sign", "e:\\d:\\sign\\a.csv", False),
        ("%SystemRoot%\\System32\\LogFiles\\HTTPERR", "c:\\windows\\system32\\logfiles\\other\\a.log", False),
    ],
)  # fmt: skip
def test_which_folder_a_file_is_in(folder: str, path: str, below: bool) -> None:
    assert _is_below(path, folder) is below


def test_what_was_planned_and_never_packed_is_no_empty_log(lab: Collector) -> None:
    with pytest.raises(IncompleteError, match="nothing was packed"):
        bring(lab.settings(), lab.look(), None, lab.fetch, lab.fetch)


def test_what_did_not_come_is_named_and_comes_the_next_time(lab: Collector) -> None:
    lab.broken = 3
    first = lab.collect()
    assert (first.parts_fetched, first.parts_failed) == (0, 1)
    assert {state for state, _ in left(first).values()} == {State.NOT_TRANSFERRED}
    assert not list((lab.root / "store").rglob("*.partial"))
    lab.clock.forward(hours=30)
    second = lab.collect()
    assert not second.left
    assert {one.since for one in second.staged} == {f"{START:%Y-%m-21T%H:%M:%SZ}"}
    assert len(second.staged) == 5


@both_languages
def test_a_locked_file_is_due_until_it_comes(lab: Collector) -> None:
    path = f"{IIS}\\W3SVC1\\u_ex261122.log"
    lab.host.files.hold(path, "app", share_read=False)
    assert left(lab.collect()) == {path: (State.LOCKED, 32)}
    lab.host.files.release(path)
    lab.sealed = lab.settings().now
    lab.clock.forward(days=3)
    lab.host.files.write(f"{IIS}\\W3SVC1\\u_ex261125.log", web_log("25", 1, lab.clock))
    assert path in files(lab.collect()).values()


@both_languages
def test_channels_that_are_off_absent_refused_or_damaged_have_their_own_state(
    lab: Collector,
) -> None:
    lab.channels = ("Security", "System", "Application", "No-Such/Log")
    lab.host.eventlogs.configure("System", enabled=False)
    lab.host.eventlogs.damage("Application", "cut", 70000)
    lab.look()
    found = {channel.name: channel for channel in seen(lab)}
    assert found["Security"].state is State.PLANNED
    assert (found["System"].state, found["System"].enabled) == (State.DISABLED, False)
    assert (found["Application"].state, found["Application"].code) == (State.DAMAGED, 1500)
    assert (found["No-Such/Log"].state, found["No-Such/Log"].code) == (State.ABSENT, 15007)
    # What a channel held before it was switched off comes all the same.
    assert set(files(lab.collect()).values()) >= {"Security", "System"}


def seen(lab: Collector) -> list[Channel]:
    return list(read_look(lab.texts[0].batch, lab.channels).channels)


@both_languages
def test_a_disk_without_room_leaves_logs_and_says_so(lab: Collector) -> None:
    drive = lab.host.files.drive("C")
    lab.host.files.write("C:\\big.bin", b"x" * 1000)
    filler = lab.host.files.free("C") - (256 << 20) - 200_000
    lab.host.files.drives["C:"] = replace(drive, used=drive.used + filler)
    brought = lab.collect()
    assert set(left(brought).values()) == {(State.NO_SPACE, 0)}
    assert brought.parts_fetched == 0
    lab.host.files.drives["C:"] = drive
    assert len(lab.collect().staged) == 5


def test_archived_event_logs_come_too(lab: Collector) -> None:
    folder = "C:\\Windows\\System32\\Winevt\\Logs"
    lab.host.files.ensure_folder(folder)
    name = "Archive-Microsoft-Windows-TaskScheduler%4Operational-2026-11-22-00-10-00-000.evtx"
    content = evtx_bytes(lab.host.eventlogs.records("Security"))
    lab.host.files.write(f"{folder}\\{name}", content)
    brought = lab.collect()
    assert not brought.left
    assert home(lab, f"logs/web01/archive/Logs/{name}") == content


@pytest.mark.parametrize("name", ["签名日志_20261122.csv", "100% & more^ (1)!.csv", "a'b`;$x.csv"])
def test_data_logs_of_any_name_come_home(lab: Collector, name: str) -> None:
    folder = "D:\\考试 日志"
    lab.host.files.drives["D:"] = lab.host.files.drive("C")
    lab.host.files.add_root("D:")
    lab.host.files.mkdir(folder)
    lab.host.files.write(f"{folder}\\{name}", "时间,操作\r\n".encode("gb18030"))
    lab.data = (DataSource(name="sign", folder=folder, pattern="*.csv"),)
    brought = lab.collect()
    assert not brought.left
    assert files(brought)[f"data/sign/{name}"] == f"{folder}\\{name}"
    again = lab.collect()
    assert left(again)[f"{folder}\\{name}"] == (State.UNCHANGED, 0)


def test_a_data_folder_that_is_not_there_is_no_empty_one(lab: Collector) -> None:
    lab.data = (DataSource(name="sign", folder="D:\\nowhere"),)
    lab.look()
    listed = {one.folder.name: one for one in both_answers(lab.settings(), *lab.texts)[1]}
    assert (listed["sign"].state, listed["sign"].files) == (State.ABSENT, ())


def test_central_logging_and_http_errors_are_found(lab: Collector) -> None:
    lab.host.iis.central_log = CentralLog(mode="CentralW3C", directory="D:\\central")
    lab.host.files.drives["D:"] = lab.host.files.drive("C")
    lab.host.files.add_root("D:")
    lab.host.files.mkdir("D:\\central\\W3SVC")
    lab.host.files.write("D:\\central\\W3SVC\\u_ex261122.log", web_log("22", 2, lab.clock))
    lab.host.files.mkdir("C:\\Windows\\System32\\LogFiles\\HTTPERR")
    lab.host.files.write(
        "C:\\Windows\\System32\\LogFiles\\HTTPERR\\httperr1.log", web_log("22", 2, lab.clock)
    )
    brought = lab.collect()
    assert {"iis/W3SVC/u_ex261122.log", "httperr/HTTPERR/httperr1.log"} <= set(files(brought))


def test_old_files_stay_where_they_are(lab: Collector) -> None:
    old = f"{IIS}\\W3SVC1\\u_ex261101.log"
    lab.host.files.write(old, web_log("01", 5, lab.clock))
    lab.host.files.set_times(old, modified=START - timedelta(days=21))
    assert old not in files(lab.collect()).values()


def test_the_number_of_calls_does_not_grow_with_sites_channels_and_files(tmp_path: Path) -> None:
    calls = []
    for sites in (1, 40):
        clock = Clock()
        host = make_host(clock, sites=sites)
        fill(host, clock)
        lab = Collector(host, clock, tmp_path / str(sites))
        ran = lab.run
        count = 0

        def counted(line: str, stdin: str = "") -> object:
            nonlocal count
            count += 1
            return ran(line, stdin)  # noqa: B023 - called within this turn of the loop

        lab.run = counted  # type: ignore[assignment,method-assign]
        brought = lab.collect()
        assert len(brought.staged) == 3 + sites
        calls.append((count, len(lab.fetched)))
    assert calls == [(3, 1), (3, 1)]


def test_events_are_exported_from_an_hour_earlier_and_count_from_the_window_on(
    lab: Collector,
) -> None:
    lab.collect()
    lab.sealed = lab.settings().now
    lab.clock.forward(minutes=5)
    second = lab.collect()
    [security] = [one for one in second.staged if one.path == "Security"]
    assert security.since == f"{START:%Y-%m-%dT%H:%M:%SZ}"
    tables = list(evtx.read(Log(lab.root / "staging" / security.file, "x"), frozenset(), Notes()))
    assert sum(table.size for table in tables) == 1


def test_a_leftover_of_a_killed_collection_is_removed_and_told(lab: Collector) -> None:
    scratch = lab.host.environment_of("Administrator")["TEMP"] + "\\opsproof-logs"
    lab.host.files.mkdir(f"{scratch}\\f")
    lab.host.files.write(f"{scratch}\\f\\old.log", b"left")
    lab.look()
    assert "clean-scratch" in lab.texts[0].batch.absent
    assert not lab.collect().left
    assert SCRATCH.endswith("opsproof-logs")
    assert not lab.host.files.exists(scratch)


def test_a_scratch_folder_that_cannot_be_made_is_an_error_and_nothing_is_written(
    lab: Collector,
) -> None:
    plan = lab.look()
    before = lab.host.files.dump()["changed"]
    answer = lab.run(pack_command("X:\\none\\opsproof-logs"), pack_script(plan))
    assert lab.host.files.dump()["changed"] == before
    with pytest.raises(IncompleteError, match="did not run the batch file"):
        read_pack(answer.batch, plan)


def test_a_disk_that_fills_while_packing_leaves_what_did_not_fit(lab: Collector) -> None:
    path = f"{IIS}\\W3SVC1\\u_ex261122.log"
    lab.host.files.write(path, random.Random(1).randbytes(400_000))  # noqa: S311 - makes test data
    plan = lab.look()
    drive = lab.host.files.drive("C")
    used = drive.used + lab.host.files.free("C") - 500_000
    lab.host.files.drives["C:"] = replace(drive, used=used)
    answer = lab.run(pack_command(SCRATCH), pack_script(plan))
    left = read_pack(answer.batch, plan).left
    assert {plan.items[n].path: state for n, (state, _) in left.items()}[path] is State.NO_SPACE
