"""Whose data logs came home whole: what is said of them holds only then."""

from __future__ import annotations

from tests.collection.lab import Collector

from opsproof.collection.home import not_delivered
from opsproof.collection.model import DataSource

FOLDER = "C:\\Sign"
EXPECTED = {"web01": ["sign", "other"]}


def fill(lab: Collector) -> None:
    lab.host.files.mkdir(FOLDER)
    lab.host.files.write(f"{FOLDER}\\1.csv", b"a\r\n")
    lab.data = (DataSource(name="sign", folder=FOLDER),)


def missing(lab: Collector, name: str = "sign") -> tuple[str, ...]:
    lab.collect()
    return not_delivered(lab.root / "staging", EXPECTED, name)


def test_nothing_is_missing_of_what_came_or_had_come_before(lab: Collector) -> None:
    fill(lab)
    assert missing(lab) == ()
    lab.clock.forward(hours=1)
    assert missing(lab) == ()


def test_a_host_that_handed_nothing_over_misses_all_that_it_has(lab: Collector) -> None:
    expected = {**EXPECTED, "app-02": ["sign"], "none": []}
    fill(lab)
    lab.collect()
    staging = lab.root / "staging"
    assert not_delivered(staging, expected, "s*") == ("app-02: sign",)
    assert not_delivered(lab.root / "no-run", expected) == (
        "app-02: sign",
        "web01: other",
        "web01: sign",
    )


def test_a_folder_that_is_not_there_is_missing(lab: Collector) -> None:
    lab.data = (DataSource(name="sign", folder="C:\\nowhere"),)
    assert missing(lab) == ("web01: sign",)


def test_a_log_that_did_not_come_is_missing(lab: Collector) -> None:
    fill(lab)
    lab.broken = 3
    assert missing(lab) == ("web01: sign",)


def test_a_locked_log_is_missing_and_a_web_log_is_another_matter(lab: Collector) -> None:
    fill(lab)
    lab.host.files.hold(
        "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex261122.log", "app", share_read=False
    )
    assert missing(lab) == ()
    lab.host.files.write(f"{FOLDER}\\1.csv", b"a\r\nb\r\n")
    lab.host.files.hold(f"{FOLDER}\\1.csv", "app", share_read=False)
    assert missing(lab) == ("web01: sign",)


def test_a_log_that_somebody_removed_is_missing(lab: Collector) -> None:
    fill(lab)
    lab.host.files.write(f"{FOLDER}\\2.csv", b"b\r\n")
    assert missing(lab) == ()
    lab.host.files.remove(f"{FOLDER}\\2.csv")
    lab.clock.forward(hours=1)
    assert missing(lab) == ("web01: sign",)
