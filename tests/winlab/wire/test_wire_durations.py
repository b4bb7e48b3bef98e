from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winlab.wire.durations import duration_of, long_duration_of, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT20S", 20),
        ("PT20.000S", 20),
        ("PT1M", 60),
        ("PT2H30M0.5S", 9000.5),
        ("P1DT1S", 86_401),
        (" PT1S ", 1),
        ("P0DT0H0M0S", 0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "PT-1S", "-PT1S", "20", "PT1Y", "P1Y", "PT٣S"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a positive xs:duration"):
        seconds_of(text)


def test_durations_are_written_as_windows_does() -> None:
    assert duration_of(7200) == "PT7200.000S"
    assert long_duration_of(0) == "P0DT0H0M0S"
    assert long_duration_of(90_061.9) == "P1DT1H1M1S"


@given(st.integers(0, 10**9))
def test_what_is_written_can_be_read(milliseconds: int) -> None:
    assert round(seconds_of(duration_of(milliseconds / 1000)) * 1000) == milliseconds
    assert seconds_of(long_duration_of(milliseconds / 1000)) == milliseconds // 1000
