"""Whatever a line holds, cmd.exe answers with text and a code, never with a crash of the lab."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.winlab.commands.lab_hosts import NOW, make_host

from winlab.commands import run_cmd, run_program
from winlab.commands.arithmetic import ArithmeticFailure, evaluate
from winlab.commands.call import Environment, split_arguments
from winlab.commands.cmdline import unquote
from winlab.commands.eventquery import compile_xpath
from winlab.commands.syntax import CmdSyntaxError, parse
from winlab.host.errors import WindowsError
from winlab.host.events import EventRecord

_WORDS = (
    "echo | & | && | || | ( | ) | > | >> | < | 2>&1 | if | else | for | %a | in | do | not | exist |"
    " == | x | nul | /f | set | = | dir | type | del | C:\\t | rem | @ | findstr | reg | query"
)
_PIECES = st.lists(
    st.sampled_from([" ", "|", '"', "^", "%", "!", "\n", *_WORDS.split(" | ")]), max_size=25
)


@given(st.text(max_size=80))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse(text)
    except CmdSyntaxError:
        return


@settings(deadline=None, max_examples=150)
@given(_PIECES)
def test_any_line_runs_to_an_exit_code(pieces: list[str]) -> None:
    result = run_cmd(make_host("en-US"), "".join(pieces), user="Administrator")
    assert isinstance(result.rc, int)


@given(st.lists(st.text('ab\\" ', min_size=1, max_size=6), max_size=5))
def test_c_runtime_quoting_round_trips(args: list[str]) -> None:
    quoted = []
    for arg in args:
        text, slashes = "", 0
        for char in arg:
            if char == "\\":
                slashes += 1
                continue
            text += "\\" * (slashes * 2 + 1 if char == '"' else slashes) + char
            slashes = 0
        quoted.append(f'"{text}{chr(92) * slashes * 2}"')
    assert split_arguments(" ".join(quoted)) == args


@given(st.text(st.characters(exclude_characters='"'), max_size=30))
def test_unquote_leaves_unquoted_text_alone(text: str) -> None:
    assert unquote(text, lambda _name: True) == text


@settings(deadline=None)
@given(st.text("()+-*/%&|^~!=,<>019abx ", max_size=40))
def test_arithmetic_gives_32_bits_or_an_error(text: str) -> None:
    try:
        value = evaluate(text, Environment())
    except ArithmeticFailure:
        return
    assert -(2**31) <= value < 2**31


@given(
    st.lists(
        st.sampled_from(
            [
                "*",
                "[",
                "]",
                "(",
                ")",
                "System",
                "EventID",
                "=",
                "1",
                "'x'",
                "and",
                " or ",
                "not",
                "band",
                ",",
                "@",
                "/",
                ".",
                "timediff",
                "Level",
                ">=",
            ]
        ),
        max_size=20,
    )
)
def test_any_event_query_filters_or_is_refused(pieces: list[str]) -> None:
    record = EventRecord(
        record_id=1, time_created=NOW, provider="p", event_id=1, channel="System", computer="c"
    )
    try:
        keep = compile_xpath("".join(pieces))
    except WindowsError as exc:
        if exc.code != 15001:
            raise
        return
    assert keep(record, NOW) in {True, False}


@given(st.text(".*^$[]ab-z\\<>", max_size=12), st.text("abz", max_size=6))
def test_findstr_takes_any_expression(expression: str, text: str) -> None:
    host = make_host("en-US")
    host.files.write("C:\\f", text.encode())
    result = run_program(host, f'findstr /r /c:"{expression}" C:\\f', user="Administrator")
    assert result is not None
    assert result.rc in {0, 1, 2}
