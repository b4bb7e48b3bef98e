"""CPU seconds in which the lab writes event records as EVTX, in its own process.

Usage: python -m bench.lab_evtx [--records 10000]. Ends with 1 when 10,000 records take a second or more.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime

from winlab.host.events import EventRecord, named
from winlab.host.evtx_writer import evtx_bytes

LIMIT_SECONDS = 1.0  # for 10,000 records, each with a text of its own


def records(count: int) -> list[EventRecord]:
    """Make distinct service events."""
    return [
        EventRecord(
            record_id=number,
            time_created=datetime(2026, 11, 22, 9, tzinfo=UTC),
            provider="Service Control Manager",
            event_id=7036,
            channel="System",
            computer="APP-AUTH-01",
            data=named(param1=f"service {number}", param2="running"),
        )
        for number in range(1, count + 1)
    ]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    given = parser.parse_args()
    log = records(given.records)
    begin = time.process_time()
    content = evtx_bytes(log)
    seconds = time.process_time() - begin
    limit = LIMIT_SECONDS * given.records / 10_000
    print(
        f"{given.records} records, {len(content) / 1e6:.1f} MB: {seconds:.2f} s of CPU, "
        f"limit {limit:.2f} s: {'kept' if seconds < limit else 'EXCEEDED'}"
    )
    return 0 if seconds < limit else 1


if __name__ == "__main__":
    sys.exit(main())
