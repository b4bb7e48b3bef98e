from __future__ import annotations

import base64

import pytest

from winlab.wire import answers, faults, names, render
from winlab.wire.answers import Answer
from winlab.wire.xml import Element, parse

S = "{" + names.SOAP + "}"
A = "{" + names.ADDRESSING + "}"
R = "{" + names.SHELL + "}"
W = "{" + names.WSMAN + "}"
X = "{" + names.TRANSFER + "}"
N = "{" + names.ENUMERATION + "}"
F = "{" + names.FAULT + "}"
E = "{" + names.WMI_ERROR + "}"
CFG = "{" + names.CONFIG + "}"
ID = "{" + names.IDENTITY + "}"

VIEW = answers.ShellView(
    shell_id="SHELL",
    resource_uri=names.RESOURCE_CMD,
    owner="WIN1\\joe & co",
    client_ip="127.0.0.1",
    idle_timeout=7200,
    input_streams="stdin",
    output_streams="stdout stderr",
    run_time=61,
    inactivity=1,
)


def rendered(answer: Answer, relates_to: str = "uuid:ASKED") -> Element:
    return parse(render(answer, message_id="GUID", relates_to=relates_to, machine='W"1'))


def at(element: Element, *path: str) -> Element:
    for step in path:
        found = element.find(step)
        assert found is not None, step
        element = found
    return element


def test_the_header_is_that_of_windows() -> None:
    root = rendered(answers.InputTaken())
    assert root.attributes["{" + names.XML + "}lang"] == "en-US"
    header = at(root, S + "Header")
    assert header.text_of(A + "Action") == names.SEND + "Response"
    assert header.text_of(A + "MessageID") == "uuid:GUID"
    assert header.text_of(A + "To") == names.ANONYMOUS
    assert header.text_of(A + "RelatesTo") == "uuid:ASKED"
    assert [child.tag for child in at(root, S + "Body").children] == [R + "SendResponse"]


def test_an_answer_to_nobody_relates_to_nothing() -> None:
    header = at(rendered(faults.invalid_xml(), relates_to=""), S + "Header")
    assert header.find(A + "RelatesTo") is None


@pytest.mark.parametrize(
    ("answer", "action", "first"),
    [
        (answers.CommandStarted(command_id="C"), names.COMMAND, R + "CommandResponse"),
        (answers.Signalled(), names.SIGNAL, R + "SignalResponse"),
        (answers.Disconnected(), names.DISCONNECT, R + "DisconnectResponse"),
        (answers.Reconnected(), names.RECONNECT, R + "ReconnectResponse"),
        (answers.Connected(response_xml=b"x"), names.CONNECT, R + "ConnectResponse"),
        (answers.Shell(shell=VIEW), names.GET, R + "Shell"),
        (answers.EnumerationStarted(context="c"), names.ENUMERATE, N + "EnumerateResponse"),
        (answers.Enumerated(), names.ENUMERATE, N + "EnumerateResponse"),
        (answers.Enumerated(pulled=True), names.PULL, N + "PullResponse"),
    ],
)
def test_each_answer_has_its_action_and_element(answer: Answer, action: str, first: str) -> None:
    root = rendered(answer)
    assert at(root, S + "Header").text_of(A + "Action") == action + "Response"
    assert at(root, S + "Body").children[0].tag == first


def test_delete_has_an_empty_body() -> None:
    root = rendered(answers.Deleted())
    assert at(root, S + "Body").children == []
    assert at(root, S + "Header").text_of(A + "Action") == names.DELETE + "Response"


def test_a_new_shell_shows_its_selector_and_itself() -> None:
    body = at(rendered(answers.ShellCreated(shell=VIEW, address="http://h/wsman")), S + "Body")
    reference = at(body, X + "ResourceCreated", A + "ReferenceParameters")
    selector = at(reference, W + "SelectorSet", W + "Selector")
    assert (selector.attributes, selector.text) == ({"Name": "ShellId"}, "SHELL")
    shell = at(body, R + "Shell")
    assert [(child.tag.removeprefix(R), child.text) for child in shell.children] == [
        ("ShellId", "SHELL"),
        ("ResourceUri", names.RESOURCE_CMD),
        ("Owner", "WIN1\\joe & co"),
        ("ClientIP", "127.0.0.1"),
        ("IdleTimeOut", "PT7200.000S"),
        ("InputStreams", "stdin"),
        ("OutputStreams", "stdout stderr"),
        ("ShellRunTime", "P0DT0H1M1S"),
        ("ShellInactivity", "P0DT0H0M1S"),
    ]


def test_a_runspace_pool_has_more_fields() -> None:
    fields = {name: getattr(VIEW, name) for name in VIEW.__dataclass_fields__}
    pool = answers.ShellView(**fields | {"process_id": 7, "name": "R"})
    shell = at(rendered(answers.Shell(shell=pool)), S + "Body", R + "Shell")
    shown = {child.tag.removeprefix(R): child.text for child in shell.children}
    assert shown["Name"] == "R"
    assert shown["ProcessId"] == "7"
    assert shown["State"] == "Connected"
    assert {
        "BufferMode",
        "CompressionMode",
        "DataLocale",
        "Encoding",
        "Locale",
        "MaxIdleTimeOut",
        "ProfileLoaded",
    } <= shown.keys()


def test_output_of_a_running_command() -> None:
    answer = answers.Output(command_id="C", streams=(("stdout", b"\x00\xff"),))
    response = at(rendered(answer), S + "Body", R + "ReceiveResponse")
    stream, state = response.children
    assert stream.attributes == {"Name": "stdout", "CommandId": "C"}
    assert base64.b64decode(stream.text) == b"\x00\xff"
    assert state.attributes == {"CommandId": "C", "State": names.STATE_RUNNING}


def test_output_of_a_command_that_is_done() -> None:
    answer = answers.Output(command_id="C", ended=("stdout", "stderr"), exit_code=3)
    response = at(rendered(answer), S + "Body", R + "ReceiveResponse")
    out, err, state = response.children
    assert [each.attributes["End"] for each in (out, err)] == ["true", "true"]
    assert state.attributes["State"] == names.STATE_DONE
    assert state.text_of(R + "ExitCode") == "3"


def test_the_queue_of_a_pool_has_no_command() -> None:
    answer = answers.Output(command_id="", streams=(("stdout", b"x"),), state=False)
    (stream,) = at(rendered(answer), S + "Body", R + "ReceiveResponse").children
    assert stream.attributes == {"Name": "stdout"}


def test_a_fault_carries_code_number_and_machine() -> None:
    fault = at(rendered(faults.timed_out()), S + "Body", S + "Fault")
    assert at(fault, S + "Code", S + "Value").text == "s:Receiver"
    assert at(fault, S + "Code", S + "Subcode", S + "Value").text == "w:TimedOut"
    detail = at(fault, S + "Detail", F + "WSManFault")
    assert detail.attributes == {"Code": "2150858793", "Machine": 'W"1'}
    assert "within the time specified in OperationTimeout" in at(detail, F + "Message").text


def test_a_provider_is_named_in_the_detail() -> None:
    fault = at(rendered(faults.unknown_command()), S + "Body", S + "Fault")
    assert (
        at(fault, S + "Detail").text_of(W + "FaultDetail") == names.FAULT_DETAIL + "/InvalidValue"
    )
    provider = at(fault, S + "Detail", F + "WSManFault", F + "Message", F + "ProviderFault")
    assert provider.attributes["provider"] == "Shell cmd plugin"
    assert provider.text == "The parameter is incorrect."


@pytest.mark.parametrize(
    "number",
    [
        faults.QUOTA_MAX_SHELLS,
        faults.QUOTA_MAX_OPERATIONS,
        faults.QUOTA_MAX_COMMANDS_PER_SHELL,
        faults.QUOTA_MAX_SHELLUSERS,
    ],
)
def test_a_quota_fault_is_a_wmi_error(number: int) -> None:
    fault = at(rendered(faults.quota(number, 30, "joe")), S + "Body", S + "Fault")
    error = at(fault, S + "Detail", E + "MSFT_WmiError")
    assert error.text_of(E + "error_Code") == str(number)
    assert "30" in at(fault, S + "Reason", S + "Text").text


def test_the_numbers_are_those_of_the_header_file() -> None:
    assert faults.timed_out().number == 2150858793
    assert faults.unknown_shell("x").number == 2150858843
    assert faults.unknown_command().number == 87
    assert faults.invalid_header().number == 2150858767
    assert faults.QUOTA_MAX_OPERATIONS == 2150859174
    assert faults.access_denied().number == 5
    assert faults.aborted().number == 995
    assert faults.internal_error("x").number == 1359
    assert faults.envelope_too_large(500).detail == names.FAULT_DETAIL + "/MaxEnvelopeSize"
    assert faults.invalid_enumeration_context().subcode == "n:InvalidEnumerationContext"
    assert "jea" in faults.no_such_configuration("jea", "WIN1").reason
    assert "urn:x" in (faults.invalid_resource("urn:x").message or "")
    assert str(faults.FaultError(faults.access_denied())) == (
        "w:AccessDenied 5: Access is denied. "
    )


def test_configuration_is_nested() -> None:
    answer = answers.Config(settings={"MaxEnvelopeSizekb": "500", "Service": {"Auth": {"B": "t"}}})
    config = at(rendered(answer), S + "Body", CFG + "Config")
    assert config.text_of(CFG + "MaxEnvelopeSizekb") == "500"
    assert at(config, CFG + "Service", CFG + "Auth", CFG + "B").text == "t"


def test_enumerations_list_shells_and_commands() -> None:
    command = answers.CommandView(shell_id="S", command_id="C", line="a < b")
    items = at(
        rendered(answers.Enumerated(items=(VIEW, command))),
        S + "Body",
        N + "EnumerateResponse",
        W + "Items",
    )
    shell, listed = items.children
    assert shell.text_of(R + "ShellId") == "SHELL"
    assert listed.text_of(R + "CommandLine") == "a < b"
    pulled = at(rendered(answers.Enumerated(items=(VIEW,), pulled=True)), S + "Body")
    assert at(pulled, N + "PullResponse", N + "Items", R + "Shell")


def test_identify_hides_the_version_unless_told() -> None:
    def version(answer: Answer) -> str:
        body = at(rendered(answer), S + "Body", ID + "IdentifyResponse")
        return at(body, ID + "ProductVersion").text

    assert version(answers.Identified()) == "OS: 0.0.0 SP: 0.0 Stack: 3.0"
    shown = answers.Identified(os_version="10.0.20348", schemes=("urn:basic",))
    assert version(shown) == "OS: 10.0.20348 SP: 0.0 Stack: 3.0"
    assert b"urn:basic" in render(shown, message_id="", relates_to="", machine="")
