"""Files made to harm cost bounded memory and time, and hide nothing that stands beside them.

All of them are audited in one process of its own, one after another, so that its memory is what they
took. A file is as small as shows that it would grow: several times what is allowed, and mostly holes.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.logs.samples import record

from winlab.host.evtx_writer import evtx_bytes

MEGABYTES = 80
"""What the worst of them may take beside an audit of one line."""

SECONDS = 20.0
"""Of one core, for each of them: no measure of speed, but none of them may take for ever."""

HEAD = b"#Fields: date time cs-method cs-uri-stem c-ip sc-status time-taken\n"
GOOD = b"2026-01-05 10:00:00 GET /good 10.0.0.1 404 3\n"
LONG = 120 << 20

AUDIT = """
import json, resource, sys, time
from pathlib import Path
from opsproof.logs.audit import audit
from opsproof.logs.options import Options
from opsproof.logs.rules.load import compile_texts
from opsproof.logs.schema import load_schemas

rules = compile_texts([("rules.yml", sys.stdin.buffer.read())])
options = Options(processes=1, schemas=load_schemas([Path("schema.yml")]))
for path in map(Path, sys.argv[1:]):
    begin = time.process_time()
    report = audit([path], rules, options=options)
    told = {
        "records": report.counts.records,
        "unreadable": [one.what for one in report.unreadable],
        "hits": [hit.rule for hit in report.hits],
        "cpu": time.process_time() - begin,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }
    print(json.dumps(told), flush=True)
"""

RULES = """\
title: Not found
id: 00000000-0000-0000-0000-0000000000b1
name: not_found
logsource: {category: webserver}
detection: {s: {sc-status: 404}, condition: s}
level: low
---
title: Scan
id: 00000000-0000-0000-0000-0000000000b2
correlation:
  type: value_count
  rules: [not_found]
  group-by: [c-ip]
  timespan: 5m
  condition: {gte: 3, field: cs-uri-stem}
level: medium
---
title: Slow expression
id: 00000000-0000-0000-0000-0000000000b3
logsource: {category: webserver}
detection: {s: {cs-uri-stem|re: '(x+x+)+y'}, condition: s}
level: low
"""

SCHEMA = """\
product: app
match: "*.csv"
time: {column: at}
columns: {who: user}
"""


def sparse(*, before: bytes, size: int, after: bytes) -> Callable[[Path], None]:
    """A file with a hole: NUL bytes that take no room on the disk."""

    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(before)
            file.truncate(len(before) + size)
            file.seek(0, 2)
            file.write(after)

    return write


def written(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def many(line: Callable[[int], bytes], count: int = 20_000) -> bytes:
    return b"".join(map(line, range(count)))


def events() -> bytes:
    return evtx_bytes([record(number, number) for number in range(1, 3000)])


def flipped(content: bytes) -> bytes:
    source, data = random.Random(5), bytearray(content)  # noqa: S311 - test data, no secret
    for _ in range(30):
        data[source.randrange(4096, len(data))] ^= 1 << source.randrange(8)
    return bytes(data)


def hostile() -> Iterator[tuple[str, Callable[[Path], None]]]:
    yield "one.log", written(HEAD + GOOD)
    yield "line_without_end.log", sparse(before=HEAD + GOOD, size=LONG, after=b"\n" + GOOD)
    yield "only_one_line.log", sparse(before=HEAD + GOOD + b"x", size=LONG, after=b"")
    yield (
        "one_line.csv",
        sparse(before=b"at,who\n2026-01-05T10:00:00Z,a\n", size=LONG >> 2, after=b""),
    )
    yield "directive.log", sparse(before=HEAD + GOOD + b"#Fields: ", size=LONG, after=b"\n" + GOOD)
    yield "long_lines.log", written(HEAD + GOOD + (b"x " * 400_000 + b"\n") * 25)
    yield (
        "nul.log",
        written(HEAD + GOOD + many(lambda n: b"2026-01-05 10:00:00 GET /\0%d 1.1.1.1 200 3\n" % n)),
    )
    yield (
        "fields.log",
        written(
            HEAD + GOOD + many(lambda n: b"#Fields: date time f%d\n2026-01-05 10:00:00 x\n" % n)
        ),
    )
    yield (
        "computers.log",
        written(
            b"#Fields: date time s-computername s-sitename sc-status\n"
            + many(lambda n: b"2026-01-05 10:00:00 WEB%d W3SVC%d 404\n" % (n, n))
        ),
    )
    yield (
        "code_pages.log",
        written(
            HEAD
            + GOOD
            + many(
                lambda n: (
                    b"2026-01-05 10:00:00 GET /"
                    + bytes([128 + n % 128, n % 96 + 32])
                    + b"\xff\xfe 1.1.1.1 200 3\n"
                )
            )
        ),
    )
    yield (
        "expression.log",
        written(HEAD + GOOD + b"2026-01-05 10:00:00 GET /" + b"x" * 500_000 + b" 1.1.1.1 200 3\n"),
    )
    yield (
        "scan.log",
        written(HEAD + many(lambda n: b"2026-01-05 10:00:00 GET /%d 1.1.1.1 404 3\n" % n, 50_000)),
    )
    yield (
        "clients.log",
        written(HEAD + many(lambda n: b"2026-01-05 10:00:00 GET /a ::%x 404 3\n" % n, 50_000)),
    )
    yield "truncated.evtx", written(events()[:-100_000])
    yield "flipped.evtx", written(flipped(events()))
    yield "hole.evtx", sparse(before=events(), size=LONG, after=b"")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "schema.yml").write_text(SCHEMA)
    files = dict(hostile())
    for name, write in files.items():
        write(folder / name)
    done = subprocess.run(
        [sys.executable, "-c", AUDIT, *files],
        input=RULES.encode(),
        capture_output=True,
        check=False,  # what it said is shown below
        cwd=folder,
    )
    assert not done.returncode, done.stderr.decode()
    return dict(zip(files, map(json.loads, done.stdout.splitlines()), strict=True))


def test_memory_and_time_are_bounded(told: dict[str, Any]) -> None:
    least = told["one.log"]["megabytes"]
    for name, one in told.items():
        assert one["megabytes"] < least + MEGABYTES, name
        assert one["cpu"] < SECONDS, name


@pytest.mark.parametrize(
    ("name", "records", "what"),
    [
        ("line_without_end.log", 2, "a line is longer than 1048576 bytes"),
        ("only_one_line.log", 1, "a line is longer than 1048576 bytes"),
        ("one_line.csv", 1, "a line is longer than 1048576 characters"),
        ("directive.log", 2, "a line is longer than 1048576 bytes"),
        ("long_lines.log", 1, "a line has 400000 values, not 7"),
        ("nul.log", 20_001, "1 NUL bytes, as a crash leaves them"),
        ("fields.log", 20_001, None),
        ("computers.log", 20_000, "it is of over 1000 computers and channels"),
        ("code_pages.log", 19_792, "a line has 8 values, not 7"),
        ("expression.log", 2, None),
        ("scan.log", 50_000, None),
        ("clients.log", 50_000, None),
        ("truncated.evtx", None, "the file is cut short"),
        ("flipped.evtx", None, "the checksum of a chunk is wrong"),
        ("hole.evtx", 2999, None),
    ],
)
def test_what_stands_beside_is_audited_and_the_harm_is_told(
    told: dict[str, Any], name: str, records: int | None, what: str | None
) -> None:
    found = told[name]
    if records is None:
        assert 1000 < found["records"] < 2999
    else:
        assert found["records"] == records
    if what is None:
        assert not found["unreadable"]
    else:
        assert any(one.startswith(what) for one in found["unreadable"])
    assert found["hits"] == (["00000000-0000-0000-0000-0000000000b2"] if name == "scan.log" else [])
