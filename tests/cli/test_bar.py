"""What is told of progress where no terminal is."""

from __future__ import annotations

import pytest

from opsproof.cli.bar import Bar


@pytest.mark.parametrize("quiet", [False, True])
def test_a_line_now_and_then_with_rate_and_time_left(
    quiet: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([0.0, 10.0, 40.0, 50.0])
    with Bar(quiet, "records", clock=lambda: next(times)) as told:
        for done in (1000, 4000, 5000):
            told(done, 10_000)
    line = "4,000 of 10,000 records, 100/s, 1.0 min left\n"
    assert capsys.readouterr().err == ("" if quiet else line)
