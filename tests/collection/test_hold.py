from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsproof.collection.hold import hold
from opsproof.errors import ExitCode, RefusedError
from opsproof.processes import start_ticks

HOLD = """
import sys
from pathlib import Path
from opsproof.collection.hold import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""

WORKERS = """
import multiprocessing, sys
from pathlib import Path
from opsproof.collection.hold import hold
context = multiprocessing.get_context("fork")
workers = [context.Process(target=hold, args=(Path(sys.argv[1]),)) for _ in range(2)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
hold(Path(sys.argv[1]))
sys.exit(any(worker.exitcode for worker in workers))
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_refused_and_told_who_holds_the_store(
    tmp_path: Path, other: subprocess.Popen[str]
) -> None:
    with pytest.raises(RefusedError) as caught:
        hold(tmp_path)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert re.fullmatch(
        rf"{tmp_path}: another run collects logs into this store: process {other.pid} of \S+, "
        r"since \S+Z \(wait until it ends, or give this run another store\)",
        str(caught.value),
    )


def test_a_killed_run_holds_nothing(tmp_path: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()
    hold(tmp_path)
    assert (tmp_path / ".held").read_text().startswith(f"{os.getpid()} ")


def test_workers_of_one_run_share_the_store(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WORKERS, tmp_path / "new"], check=True)


@pytest.mark.parametrize(
    "held",
    [
        b"",
        b"none",
        b"\xff\xfe 7",
        b"4194304000000 1",
        # A number that another process has now.
        f"{os.getppid()} {start_ticks(os.getppid()) + 1}".encode(),
    ],
)
def test_a_file_that_names_no_living_run_holds_nothing(tmp_path: Path, held: bytes) -> None:
    (tmp_path / ".held").write_bytes(held)
    hold(tmp_path)
    assert (tmp_path / ".held").read_text() == f"{os.getpid()} {start_ticks(os.getpid())}"
