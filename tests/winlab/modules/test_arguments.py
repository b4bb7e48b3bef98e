"""Texts of Ansible.Basic and Legacy for arguments that do not fit."""

from __future__ import annotations

import pytest
from tests.winlab.modules.calls import Call

from winlab.host.host import Host
from winlab.modules.kit.context import to_one_line
from winlab.modules.kit.values import ConversionError, expand_variables, to_bool, to_dict, to_list


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("win_stat", {}, "missing required arguments: path"),
        (
            "win_stat",
            {"path": "C:\\", "checksum_algorithm": "crc"},
            "value of checksum_algorithm must be one of: md5, sha1, sha256, sha384, sha512. "
            "Got no match for: crc",
        ),
        (
            "win_stat",
            {"path": "C:\\", "follow": "perhaps"},
            "argument for follow is of type System.String and we were unable to convert to bool: "
            "The value 'perhaps' is not a valid boolean. Valid booleans include: y, yes, on, 1, "
            "true, t, 1.0, n, no, off, 0, false, f, 0.0",
        ),
        (
            "win_find",
            {"paths": ["C:\\"], "depth": "x"},
            "argument for depth is of type System.String and we were unable to convert to int: "
            "Input string was not in a correct format.",
        ),
        (
            "win_command",
            {"cmd": "a", "argv": ["b"]},
            "parameters are mutually exclusive: _raw_params, argv, cmd",
        ),
        ("win_command", {}, "one of the following is required: _raw_params, argv, cmd"),
        (
            "win_service",
            {"name": "x", "password": "Hidden-Pass-1"},
            "missing parameter(s) required by 'password': username",
        ),
        (
            "win_service",
            {"name": "x", "failure_actions": [{"delay": 5}]},
            "missing required arguments: type found in failure_actions",
        ),
        (
            "win_service",
            {"name": "x", "failure_actions": [{"type": "restart", "wait": 5}]},
            "Unsupported parameters for (ansible.windows.win_service) module: wait found in "
            "failure_actions. Supported parameters include: delay_ms, type, delay",
        ),
        (
            "win_group",
            {"name": "x", "members": {"set": [], "add": []}},
            "parameters are mutually exclusive: set, add found in members",
        ),
        (
            "win_file",
            {"path": "C:\\x", "state": "gone"},
            "Get-AnsibleParam: Argument state needs to be one of absent,directory,file,touch but "
            "was gone.",
        ),
        ("win_file", {}, "Get-AnsibleParam: Missing required argument: path"),
        (
            "win_copy",
            {"dest": "C:\\<x>", "_copy_mode": "query"},
            "Get-AnsibleParam: Parameter 'dest' has an invalid path 'C:\\<x>' specified.",
        ),
    ],
)
def test_refused_arguments(
    call: Call, module: str, options: dict[str, object], message: str
) -> None:
    answer = call(module, **options)
    assert (answer["failed"], answer["msg"]) == (True, message)


def test_invocation_has_every_option_and_hides_secrets(call: Call) -> None:
    answer = call("win_user", name="bob", password="Hidden-Pass-1", description="Hidden-Pass-1 x")
    given = answer["invocation"]["module_args"]
    assert given["password"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert given["description"] == "******** x"
    assert (given["state"], given["groups_action"], given["profile"]) == (
        "present",
        "replace",
        None,
    )
    assert not any(key.startswith("_ansible") for key in given)


def test_options_and_choices_are_taken_in_any_case(call: Call) -> None:
    assert call("win_stat", PATH="C:\\Windows", Checksum_Algorithm="SHA1")["stat"]["exists"]


def test_alias_gives_the_option_and_stays_in_the_invocation(call: Call) -> None:
    given = call("win_stat", dest="C:\\Windows")["invocation"]["module_args"]
    assert (given["path"], given["dest"]) == ("C:\\Windows", "C:\\Windows")


def test_module_without_check_mode_skips(call: Call) -> None:
    assert call("win_command", check=True, cmd="hostname") == {
        "changed": False,
        "skipped": True,
        "msg": "remote module (ansible.windows.win_command) does not support check mode",
        "invocation": {"module_args": {"cmd": "hostname"}},
    }
    assert call("win_shell", check=True, _raw_params="x") == {
        "changed": False,
        "skipped": True,
        "msg": "remote module does not support check mode",
    }


def test_option_that_legacy_modules_ignore_is_counted(call: Call, host: Host) -> None:
    assert call("win_file", path="C:\\x", state="directory", mode="0644")["changed"] is True
    assert list(host.unmodelled) == ["ansible.windows.win_file ignores the unknown option mode"]


def test_documented_option_that_is_not_modelled_is_refused_by_name(call: Call) -> None:
    answer = call("win_regedit", path="HKLM:\\ANSIBLE\\x", hive="C:\\h.dat")
    assert answer["msg"] == "winlab does not model option hive of ansible.windows.win_regedit"


def test_crash_names_the_exception(call: Call) -> None:
    answer = call("win_ping", data="crash")
    assert answer["msg"] == "Unhandled exception while executing module: boom"
    assert answer["exception"].startswith("boom\r\nAt line:")


@pytest.mark.parametrize(
    ("text", "value"), [("Yes", True), ("1.0", True), (" off ", False), (0, False)]
)
def test_booleans(text: object, value: bool) -> None:
    assert to_bool(text) is value


def test_lists_and_dicts_from_text() -> None:
    assert to_list("a, b") == ["a", "b"]
    assert to_dict("a=1, b=2") == {"a": "1", "b": "2"}
    assert to_dict('{"a": 1}') == {"a": 1}
    with pytest.raises(ConversionError, match=r"System\.Boolean cannot be converted to a list"):
        to_list(True)


def test_unknown_variables_stay() -> None:
    assert expand_variables("%TEMP%\\%none%\\100%", {"TEMP": "C:\\T"}) == "C:\\T\\%none%\\100%"


def test_json_is_escaped_as_windows_powershell_does() -> None:
    assert to_one_line({"a": "<'&'>", "b": "中"}) == (
        '{"a":"\\u003c\\u0027\\u0026\\u0027\\u003e","b":"中"}'
    )
