"""CLIXML as ansible-core reads it."""

from __future__ import annotations

from ansible.plugins.shell.powershell import _parse_clixml, _replace_stderr_clixml
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from winlab.exec.clixml import encode_string, error_stream


def test_nothing_to_say_is_nothing() -> None:
    assert error_stream([]) == b""


def test_form_of_one_line() -> None:
    assert error_stream(["It failed: <x>"]) == (
        b"#< CLIXML\r\n"
        b'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        b'<S S="Error">It failed: &lt;x&gt;_x000D__x000A_</S></Objs>'
    )


def test_underscore_that_looks_like_an_escape_is_escaped() -> None:
    assert encode_string("a_x0041_b_c") == "a_x005F_x0041_b_c"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_ansible_reads_back_every_text(lines: list[str]) -> None:
    expected = "".join(f"{line}\r\n" for line in lines)
    read: bytes = _parse_clixml(error_stream(lines))
    assert read.decode("utf-8", "surrogatepass") == expected


def test_progress_is_no_error_and_well_formed() -> None:
    stream = error_stream(["x"], progress=True)
    assert _replace_stderr_clixml(stream) == b"x\r\n"
    root = fromstring(stream.partition(b"\r\n")[2])
    assert [child.attrib["S"] for child in root] == ["progress", "Error"]
