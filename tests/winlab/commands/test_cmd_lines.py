"""Lines for cmd.exe: joining, quoting, expansion, redirection, blocks, loops."""

from __future__ import annotations

import pytest
from tests.winlab.commands.lab_hosts import make_host, out

from winlab.commands import run_cmd
from winlab.host.host import Host


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("echo a& echo b", "a\nb\n"),
        ("echo a && echo b", "a \nb\n"),
        ("reg query HKLM\\NOPE 2>nul && echo yes || echo no", "no\n"),
        ("ver >nul && echo yes || echo no", "yes \n"),
        ("echo ^<a^&b^>", "<a&b>\n"),
        ('echo "a & b" ^| c', '"a & b" | c\n'),
        ("echo.", "\n"),
        ("echo(", "\n"),
        ('(echo a& echo b)|find /c /v ""', "2\n"),
        ("echo %COMPUTERNAME%", "WEB01\n"),
        ("echo %NoSuchVariable%", "%NoSuchVariable%\n"),
        ("set A=1& echo %A%", "%A%\n"),
        ("set A=hello& call echo %^A:~1,3%", "ell\n"),
        ("if exist C:\\Windows (echo yes) else echo no", "yes\n"),
        ("if not exist C:\\Nope\\x echo gone", "gone\n"),
        ('if /i "ABC"=="abc" echo same', "same\n"),
        ("if 10 GTR 9 echo more", "more\n"),
        ("for %i in (a b,c) do @echo %i", "a\nb\nc\n"),
        ("for /l %i in (3,-1,1) do @echo %i", "3\n2\n1\n"),
        ('for /f "tokens=1,3 delims=;" %a in ("x;y;z") do @echo %a-%b', "x-z\n"),
        ("for /f %h in ('hostname') do @echo [%h]", "[WEB01]\n"),
        ("echo banana|sort", "banana\n"),
        ("echo one 1>nul& echo two", "two\n"),
        ("rem nothing & echo not shown", ""),
        ("@echo quiet", "quiet\n"),
        ("cmd /c exit 5 & call echo %^ERRORLEVEL%", "5\n"),
        ('cmd /v:on /c "set A=7& echo !A!"', "7\n"),
        ('cmd /c "echo a & echo b"', "a \nb\n"),
        ('cmd /c "echo a b"', "a b\n"),
        ('cmd /s /c "echo "a b""', '"a b"\n'),
    ],
)
def test_line_prints(line: str, expected: str) -> None:
    assert out(make_host("en-US"), line) == expected


def test_errors_follow_output_where_2_to_1_says() -> None:
    result = run_cmd(make_host("en-US"), "type C:\\none.txt 2>&1", user="Administrator")
    assert result.stdout == b"The system cannot find the file specified.\r\n"
    assert (result.stderr, result.rc) == (b"", 1)


def test_redirection_writes_and_appends(host: Host) -> None:
    run_cmd(host, "echo one>C:\\f.txt& echo two>>C:\\f.txt", user="Administrator")
    assert host.files.read("C:\\f.txt") == b"one\r\ntwo\r\n"


def test_two_digit_argument_is_no_handle(en: Host) -> None:
    run_cmd(en, "echo a2>C:\\f.txt", user="Administrator")
    assert en.files.read("C:\\f.txt") == b"a2\r\n"


def test_output_is_encoded_in_the_console_code_page() -> None:
    zh = make_host("zh-CN")
    gbk = run_cmd(zh, "type C:\\none", user="Administrator", codepage=936)
    utf8 = run_cmd(zh, "type C:\\none", user="Administrator", codepage=65001)
    assert gbk.stderr.decode("gbk") == utf8.stderr.decode("utf-8") == "系统找不到指定的文件。\r\n"


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        (
            "en-US",
            "'nosuch' is not recognized as an internal or external command,\r\n"
            "operable program or batch file.\r\n",
        ),
        ("zh-CN", "'nosuch' 不是内部或外部命令，也不是可运行的程序\r\n或批处理文件。\r\n"),
    ],
)
def test_unknown_command(locale: str, text: str) -> None:
    host = make_host(locale)
    result = run_cmd(host, "nosuch /x", user="Administrator")
    assert (result.rc, result.stderr.decode()) == (1, text)
    assert host.unmodelled["program nosuch"] == 1


def test_known_but_unmodelled_executable_fails_by_name(en: Host) -> None:
    result = run_cmd(en, "bcdedit /enum", user="Administrator")
    assert (result.rc, result.stderr) == (1, b"winlab does not model bcdedit.exe\r\n")
    assert en.unmodelled["command bcdedit"] == 1


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en-US", "The command line is too long.\r\n"), ("zh-CN", "命令行太长。\r\n")],
)
def test_line_limit(locale: str, text: str) -> None:
    host = make_host(locale)
    assert run_cmd(host, "echo " + "x" * 8186, user="Administrator").rc == 0
    result = run_cmd(host, "echo " + "x" * 8187, user="Administrator")
    assert (result.rc, result.stderr.decode()) == (1, text)


def test_syntax_error_runs_nothing(en: Host) -> None:
    result = run_cmd(en, "mkdir C:\\made & & echo x", user="Administrator")
    assert result.stderr == b"& was unexpected at this time.\r\n"
    assert not en.files.exists("C:\\made")


def test_for_d_lists_folders_only(web: Host) -> None:
    web.files.write("C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex261122.log", b"x")
    line = (
        '(for /d %d in ("C:\\inetpub\\logs\\LogFiles\\W3SVC*") do @for %f in (u_ex261121.log'
        ' u_ex261122.log) do @if exist "%~d\\%f" echo "%~d\\%f" "%~nxd_%f")'
    )
    assert (
        out(web, line)
        == '"C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex261122.log" "W3SVC1_u_ex261122.log"\n'
    )


def test_batch_file_with_labels_arguments_and_errorlevel(en: Host) -> None:
    en.files.write(
        "C:\\job.cmd",
        b"@echo off\r\nsetlocal enabledelayedexpansion\r\nset N=0\r\n:again\r\nset /a N+=1\r\n"
        b'if !N! lss 3 goto again\r\nif "%~1"=="x" (\r\n  echo N=!N! %2\r\n)\r\n'
        b"call :sub 7\r\nexit /b %ERRORLEVEL%\r\n:sub\r\nexit /b %1\r\n",
    )
    result = run_cmd(en, "C:\\job.cmd x y", user="Administrator")
    assert (result.stdout, result.rc) == (b"N=3 y\r\n", 7)


def test_copy_of_the_active_log_works_and_deleting_it_does_not(web: Host) -> None:
    log = "C:\\inetpub\\logs\\LogFiles\\W3SVC1\\u_ex261122.log"
    web.files.write(log, b"line\r\n")
    web.files.hold(log, "http.sys")
    assert out(web, f"copy {log} C:\\c.log") == "        1 file(s) copied.\n"
    assert web.files.read("C:\\c.log") == b"line\r\n"
    result = run_cmd(web, f"del {log}", user="Administrator")
    assert b"being used by another process" in result.stderr
    assert web.files.exists(log)


def test_write_guard_sees_what_a_line_writes(en: Host) -> None:
    en.guard.reset()
    with en.guard.acting("win_shell", armed=True):
        run_cmd(en, "netstat -ano >nul & dir C:\\ >nul & wevtutil gli System", user="Administrator")
        assert en.guard.violations == []
        run_cmd(en, "reg add HKLM\\SOFTWARE\\X /v a /d b /f", user="Administrator")
    assert [(w.what, w.origin) for w in en.guard.violations] == [
        ("registry HKLM\\SOFTWARE\\X [a]", "win_shell: reg")
    ]


def test_del_of_nothing_says_so_and_keeps_errorlevel(en: Host) -> None:
    result = run_cmd(en, "del C:\\none.txt", user="Administrator")
    assert (result.rc, result.stderr) == (0, b"Could Not Find C:\\none.txt\r\n")


def test_system_has_the_machines_temporary_folder(en: Host) -> None:
    assert out(en, "echo %TEMP% %USERNAME%", user="SYSTEM") == "C:\\Windows\\TEMP WEB01$\n"


def test_a_long_line_may_join_hundreds_of_commands(en: Host) -> None:
    assert out(en, "&".join(["echo x"] * 900)) == "x\n" * 900
    assert out(en, "&&".join(["echo x"] * 500) + "||echo no") == "x\n" * 500


@pytest.mark.parametrize(
    "line",
    ["(" * 4000, "if 1==1 " * 900 + "echo x", "cmd /c " * 1000 + "ver", "call " * 1500 + "ver"],
)
def test_nesting_without_end_is_stopped(en: Host, line: str) -> None:
    assert run_cmd(en, line, user="Administrator").rc == 255


def test_a_batch_file_that_calls_itself_is_stopped(en: Host) -> None:
    en.files.write("C:\\loop.cmd", b"@call C:\\loop.cmd\r\n")
    result = run_cmd(en, "C:\\loop.cmd", user="Administrator")
    assert result.rc == 255
    assert b"R E C U R S I O N" in result.stderr


def test_a_pipe_of_many_parts(en: Host) -> None:
    assert out(en, "echo b|" + "|".join(["sort"] * 20)) == "b\n"


def test_quotes_around_a_name_with_a_space_stay_when_it_is_an_executable(en: Host) -> None:
    en.files.mkdir("C:\\my tools")
    en.files.write("C:\\my tools\\say it.cmd", b"@echo said\r\n")
    assert out(en, 'cmd /c "C:\\my tools\\say it.cmd"') == "said\n"
