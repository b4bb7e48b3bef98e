from __future__ import annotations

from types import SimpleNamespace

import pytest

from winlab.exec.process import ProcessResult
from winlab.session.pipeline import error_texts, input_lines, output_objects, script_of


def command(text: str, *parameters: tuple[str | None, object], script: bool) -> SimpleNamespace:
    return SimpleNamespace(command_text=text, parameters=list(parameters), is_script=script)


@pytest.mark.parametrize(
    ("commands", "text"),
    [
        ([command("1 + 1", script=True)], "1 + 1"),
        ([command("& $args[0]", (None, "it's"), script=True)], "& { & $args[0] } 'it''s'"),
        (
            [
                command("Get-X", ("Name", "a"), ("Count", 3), ("Force", True), script=False),
                command("Out-String", ("-Stream:", None), script=False),
            ],
            "Get-X -Name 'a' -Count 3 -Force $true | Out-String -Stream",
        ),
    ],
)
def test_pipelines_become_script_text(commands: list[SimpleNamespace], text: str) -> None:
    assert script_of(SimpleNamespace(commands=commands)) == text


def test_input_may_be_lines_or_lists_of_lines() -> None:
    assert input_lines(["a", ["b", "c"], [["d"]], 5]) == ["a", "b", "c", "d", "5"]


def test_output_is_what_was_written_or_one_object_a_line() -> None:
    assert list(output_objects(ProcessResult(stdout=b"a\r\nb"))) == ["a", "b"]
    assert list(output_objects(ProcessResult(stdout=b"a", output_objects=("x\ny",)))) == ["x\ny"]
    assert list(output_objects(ProcessResult())) == []


CLIXML = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    b'<S S="Error">one_x000D__x000A_</S><S S="Error">two_x000D__x000A_</S>'
    b'<S S="Verbose">no</S></Objs>'
)


@pytest.mark.parametrize(
    ("stderr", "texts"),
    [
        (b"", []),
        (b"plain\r\n", ["plain"]),
        (CLIXML, ["one\r\ntwo"]),
        (CLIXML.replace(b'S="Error"', b'S="progress"'), []),
        (b"#< CLIXML\r\nbroken", ["#< CLIXML\r\nbroken"]),
    ],
)
def test_errors_come_from_clixml_or_as_they_are(stderr: bytes, texts: list[str]) -> None:
    assert list(error_texts(stderr)) == texts
