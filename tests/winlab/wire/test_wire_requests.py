from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winlab.wire import faults, names, requests
from winlab.wire.requests import RequestError, parse_request

CMD = names.RESOURCE_CMD


def envelope(
    action: str, body: str = "", header: str = "", *, message_id: str = "uuid:M", uri: str = CMD
) -> bytes:
    identity = f"<a:MessageID>{message_id}</a:MessageID>" if message_id else ""
    acted = f"<a:Action>{action}</a:Action>" if action else ""
    return (
        f'<e:Envelope xmlns:e="{names.SOAP}" xmlns:a="{names.ADDRESSING}" '
        f'xmlns:wm="{names.WSMAN}" xmlns:ms="{names.WSMV}" xmlns:sh="{names.SHELL}" '
        f'xmlns:en="{names.ENUMERATION}"><e:Header>{acted}{identity}'
        f"<wm:ResourceURI>{uri}</wm:ResourceURI>{header}</e:Header><e:Body>{body}</e:Body>"
        "</e:Envelope>"
    ).encode()


def refused(document: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse_request(document)
    return caught.value


def test_the_header_is_read_whole() -> None:
    header = parse_request(
        envelope(
            names.DELETE,
            header="<wm:OperationTimeout>PT7S</wm:OperationTimeout>"
            "<wm:MaxEnvelopeSize>512000</wm:MaxEnvelopeSize><ms:SessionId>uuid:S</ms:SessionId>"
            '<wm:OptionSet><wm:Option Name="A">1</wm:Option></wm:OptionSet>'
            '<wm:SelectorSet><wm:Selector Name="ShellId">abc</wm:Selector></wm:SelectorSet>',
        )
    ).header
    assert header.message_id == "uuid:M"
    assert header.action == names.DELETE
    assert header.resource_uri == CMD
    assert header.operation_timeout == 7
    assert header.max_envelope_size == 512_000
    assert header.session_id == "uuid:S"
    assert header.options == {"A": "1"}
    assert header.shell_id == "ABC"


def test_an_absent_header_field_has_the_default_of_the_specification() -> None:
    header = parse_request(envelope(names.DELETE)).header
    assert header.operation_timeout is None
    assert header.max_envelope_size == requests.DEFAULT_MAX_ENVELOPE
    assert header.shell_id == ""
    assert header.options == {}


def test_create_of_a_console() -> None:
    body = parse_request(
        envelope(
            names.CREATE,
            '<sh:Shell ShellId="ab" Name="n"><sh:InputStreams>stdin</sh:InputStreams>'
            "<sh:OutputStreams>stdout</sh:OutputStreams>"
            "<sh:WorkingDirectory>C:\\x</sh:WorkingDirectory><sh:IdleTimeOut>PT60S</sh:IdleTimeOut>"
            '<sh:Environment><sh:Variable Name="P"> q </sh:Variable></sh:Environment></sh:Shell>',
        )
    ).body
    assert body == requests.CreateShell(
        shell_id="AB",
        name="n",
        input_streams="stdin",
        output_streams="stdout",
        environment={"P": " q "},
        working_directory="C:\\x",
        idle_timeout=60,
    )


def test_create_of_a_runspace_pool_carries_its_fragments() -> None:
    body = parse_request(
        envelope(
            names.CREATE,
            f'<sh:Shell><creationXml xmlns="{names.POWERSHELL}">AAEC</creationXml></sh:Shell>',
        )
    ).body
    assert body == requests.CreateShell(creation_xml=b"\x00\x01\x02")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("<sh:Command>dir</sh:Command>", "dir"),
        ("<sh:Command>a</sh:Command><sh:Arguments>b c</sh:Arguments>", "a b c"),
        (
            "<sh:Command>a</sh:Command><sh:Arguments>b</sh:Arguments><sh:Arguments>c</sh:Arguments>",
            "a b c",
        ),
        ("<sh:Command/><sh:Arguments>b</sh:Arguments>", "b"),
    ],
)
def test_a_command_line_is_joined_by_spaces(content: str, line: str) -> None:
    body = parse_request(
        envelope(names.COMMAND, f'<sh:CommandLine CommandId="id">{content}</sh:CommandLine>')
    ).body
    assert isinstance(body, requests.RunCommand)
    assert body.line == line
    assert body.command_id == "ID"


@given(st.binary(max_size=300), st.booleans())
def test_input_is_decoded(data: bytes, end: bool) -> None:
    text = base64.b64encode(data).decode()
    body = parse_request(
        envelope(
            names.SEND,
            f'<sh:Send><sh:Stream Name="stdin" CommandId="c" End="{str(end).lower()}">{text}'
            "</sh:Stream></sh:Send>",
        )
    ).body
    piece = requests.StreamPiece(name="stdin", command_id="C", data=data, end=end)
    assert body == requests.SendInput(pieces=(piece,))


def test_receive_signal_and_the_small_ones() -> None:
    receive = '<sh:Receive><sh:DesiredStream CommandId="c">stdout</sh:DesiredStream></sh:Receive>'
    assert parse_request(envelope(names.RECEIVE, receive)).body == requests.ReceiveOutput(
        command_id="C", streams=("stdout",)
    )
    for code, expected in (
        (names.SHELL + "/signal/Terminate", "terminate"),
        ("powershell/signal/crtl_c", "ctrl_c"),
        ("powershell/signal/ctrl_c", "ctrl_c"),
    ):
        signal = f'<sh:Signal CommandId="c"><sh:Code>{code}</sh:Code></sh:Signal>'
        assert parse_request(envelope(names.SIGNAL, signal)).body == requests.SignalCommand(
            command_id="C", signal=expected
        )
    assert parse_request(envelope(names.GET)).body == requests.GetResource()
    assert parse_request(envelope(names.DISCONNECT)).body == requests.DisconnectShell()
    assert parse_request(envelope(names.RECONNECT)).body == requests.ReconnectShell()
    connect = f'<sh:Connect><connectXml xmlns="{names.POWERSHELL}">AA==</connectXml></sh:Connect>'
    assert parse_request(envelope(names.CONNECT, connect)).body == requests.ConnectShell(
        connect_xml=b"\x00"
    )
    assert parse_request(envelope(names.CONNECT, "<sh:Connect/>")).body == requests.ConnectShell()


def test_enumerate_and_pull() -> None:
    plain = parse_request(envelope(names.ENUMERATE, "<en:Enumerate/>")).body
    assert plain == requests.EnumerateResource()
    chosen = parse_request(
        envelope(
            names.ENUMERATE,
            "<en:Enumerate><wm:OptimizeEnumeration/><wm:Filter><wm:SelectorSet>"
            '<wm:Selector Name="ShellId">x</wm:Selector></wm:SelectorSet></wm:Filter>'
            "</en:Enumerate>",
        )
    ).body
    assert chosen == requests.EnumerateResource(selectors={"ShellId": "x"}, optimize=True)
    pull = "<en:Pull><en:EnumerationContext>c</en:EnumerationContext></en:Pull>"
    assert parse_request(envelope(names.PULL, pull)).body == requests.PullItems(context="c")


def test_identify_needs_no_header() -> None:
    document = (
        f'<s:Envelope xmlns:s="{names.SOAP}" xmlns:i="{names.IDENTITY}"><s:Header/><s:Body>'
        "<i:Identify/></s:Body></s:Envelope>"
    ).encode()
    assert parse_request(document).body == requests.Identify()


@pytest.mark.parametrize(
    "document",
    [
        b"<nonsense",
        b"<a/>",
        b"\xff\xff",
        f'<s:Envelope xmlns:s="{names.SOAP}"/>'.encode(),
        b'<!DOCTYPE x [<!ENTITY a "b">]><x/>',
    ],
)
def test_what_is_no_envelope_is_invalid_xml(document: bytes) -> None:
    error = refused(document)
    assert error.fault.number == faults.INVALID_XML
    assert error.fault.reason == (
        "The WS-Management service cannot process the request because the XML is invalid. "
    )
    assert error.message_id == ""


@pytest.mark.parametrize(
    "document",
    [
        f'<s:Envelope xmlns:s="{names.SOAP}"><s:Body/></s:Envelope>'.encode(),
        envelope(names.DELETE, message_id=""),
        envelope(""),
    ],
)
def test_missing_headers_are_named_as_such(document: bytes) -> None:
    fault = refused(document).fault
    assert (fault.subcode, fault.number) == (
        "a:MessageInformationHeaderRequired",
        faults.HEADER_REQUIRED,
    )


@pytest.mark.parametrize(
    "header",
    [
        "<wm:OperationTimeout>PT-1S</wm:OperationTimeout>",
        "<wm:MaxEnvelopeSize>many</wm:MaxEnvelopeSize>",
    ],
)
def test_a_wrong_header_is_an_addressing_fault(header: str) -> None:
    error = refused(envelope(names.DELETE, header=header))
    assert error.fault.subcode == "a:InvalidMessageInformationHeader"
    assert error.fault.number == 2150858767
    assert error.fault.action == names.FAULT_ACTION_ADDRESSING
    assert error.message_id == "uuid:M"


def test_an_envelope_too_small_for_any_answer_is_refused() -> None:
    small = envelope(names.DELETE, header="<wm:MaxEnvelopeSize>8191</wm:MaxEnvelopeSize>")
    assert refused(small).fault.number == faults.MAX_ENVELOPE_SIZE_EXCEEDED


def test_an_unknown_action_is_named() -> None:
    error = refused(envelope("urn:dance"))
    assert error.fault.number == faults.ACTION_NOT_SUPPORTED
    assert "urn:dance" in (error.fault.message or "")
    assert error.message_id == "uuid:M"


@pytest.mark.parametrize(
    ("action", "body", "missing"),
    [
        (names.CREATE, "", "Shell"),
        (names.COMMAND, "", "CommandLine"),
        (names.COMMAND, "<sh:CommandLine/>", "Command"),
        (names.SEND, "", "Send"),
        (names.SEND, "<sh:Send/>", "Stream"),
        (names.RECEIVE, "<sh:Receive/>", "DesiredStream"),
        (names.SIGNAL, "<sh:Signal/>", "Code"),
        (names.ENUMERATE, "", "Enumerate"),
        (names.PULL, "<en:Pull/>", "EnumerationContext"),
        (names.CONNECT, "", "Connect"),
    ],
)
def test_a_missing_element_is_named(action: str, body: str, missing: str) -> None:
    fault = refused(envelope(action, body)).fault
    assert fault.number == faults.SCHEMA_VALIDATION
    assert f"does not contain the element {missing}." in (fault.message or "")


@pytest.mark.parametrize(
    ("action", "body", "text"),
    [
        (names.SEND, "<sh:Send><sh:Stream>A</sh:Stream></sh:Send>", "not valid base64"),
        (names.SEND, "<sh:Send><sh:Stream>ä</sh:Stream></sh:Send>", "not valid base64"),
        (
            names.CREATE,
            "<sh:Shell><sh:IdleTimeOut>soon</sh:IdleTimeOut></sh:Shell>",
            "soon of IdleTimeOut is not a duration",
        ),
    ],
)
def test_a_wrong_value_is_explained(action: str, body: str, text: str) -> None:
    fault = refused(envelope(action, body)).fault
    assert fault.number == faults.SCHEMA_VALIDATION
    assert text in (fault.message or "")


@given(st.integers(0, 900), st.integers(0, 40), st.binary(max_size=4))
def test_a_damaged_envelope_is_read_or_refused(start: int, length: int, instead: bytes) -> None:
    whole = envelope(
        names.SEND,
        '<sh:Send><sh:Stream Name="stdin" CommandId="c" End="true">AAAA</sh:Stream></sh:Send>',
        "<wm:OperationTimeout>PT7S</wm:OperationTimeout>",
    )
    with contextlib.suppress(RequestError):
        parse_request(whole[:start] + instead + whole[start + length :])


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_request_errors(document: bytes) -> None:
    with contextlib.suppress(RequestError):
        parse_request(document)
