"""Start time and memory of a lab of 2,200 hosts, and 200 WinRM sessions at the same time.

Usage: python -m bench.lab_scale [--hosts 2200] [--sessions 200]. Ends with 1 when a limit of 15 s
or 1.5 GB is exceeded or a session is not answered.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import winrm
from bench.lab_bench import cpu_seconds, memory_mb, small_lab

LIMIT_SECONDS, LIMIT_MB = 15.0, 1500.0


def session(address: str, user: str, password: str) -> bool:
    """Open a shell, run `hostname`, read its output, close the shell."""
    client = winrm.Session(f"http://{address}:5985/wsman", auth=(user, password), transport="basic")
    return bool(client.run_cmd("hostname").status_code == 0)


def sessions(state: dict[str, Any], count: int) -> tuple[int, float]:
    """Run ``count`` sessions at once on as many hosts; return how many succeeded and seconds."""
    password = Path(state["password_file"]).read_text().strip()
    hosts = list(state["hosts"].values())
    addresses = [hosts[number % len(hosts)]["address"] for number in range(count)]
    begin = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        done = list(pool.map(lambda a: session(a, state["user"], password), addresses))
    return sum(done), time.monotonic() - begin


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=2200)
    parser.add_argument("--sessions", type=int, default=200)
    given = parser.parse_args()
    begin = time.monotonic()
    with small_lab(given.hosts) as (_, state):
        took = time.monotonic() - begin
        pid = state["pid"]
        start_mb = memory_mb(pid)
        print(f"{given.hosts} hosts, two listeners each: up in {took:.1f} s, {start_mb:.0f} MB")
        before = cpu_seconds(pid)
        answered, seconds = sessions(state, given.sessions)
        print(
            f"{answered} of {given.sessions} concurrent sessions answered in {seconds:.1f} s, "
            f"lab CPU {cpu_seconds(pid) - before:.1f} s, peak {memory_mb(pid):.0f} MB"
        )
        peak = memory_mb(pid)
    kept = took < LIMIT_SECONDS and peak < LIMIT_MB and answered == given.sessions
    print(f"limits {LIMIT_SECONDS:g} s and {LIMIT_MB:g} MB: {'kept' if kept else 'EXCEEDED'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
