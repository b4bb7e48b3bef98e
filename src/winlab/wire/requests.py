"""What a client can ask, and the reader that turns an envelope into it.

Matching is by namespace, never by prefix, since every client chooses its own ([MS-WSMV] 2.2.4,
DSP0226 5.4 and 13). A message that arrives here is valid: sizes are checked, times are seconds,
base64 is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from winlab.wire import faults, names
from winlab.wire.durations import seconds_of
from winlab.wire.faults import FaultError
from winlab.wire.xml import Element, XmlError, parse

_S = "{" + names.SOAP + "}"
_A = "{" + names.ADDRESSING + "}"
_W = "{" + names.WSMAN + "}"
_P = "{" + names.WSMV + "}"
_R = "{" + names.SHELL + "}"
_N = "{" + names.ENUMERATION + "}"
_PS = "{" + names.POWERSHELL + "}"
_IDENTIFY = "{" + names.IDENTITY + "}Identify"

DEFAULT_MAX_ENVELOPE = 153_600  # bytes; [MS-WSMV] 2.2.4.24 when the client says nothing
SMALLEST_ENVELOPE = 8_192  # bytes; DSP0226 R13.1-3


@dataclass(frozen=True, kw_only=True)
class Header:
    """The SOAP header: what every request says about itself. Sizes in bytes, times in seconds."""

    message_id: str
    action: str
    resource_uri: str = ""
    operation_timeout: float | None = None
    max_envelope_size: int = DEFAULT_MAX_ENVELOPE
    session_id: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    selectors: Mapping[str, str] = field(default_factory=dict)

    @property
    def shell_id(self) -> str:
        """The ShellId selector, in capitals; empty without one."""
        return self.selectors.get("ShellId", "").upper()


@dataclass(frozen=True, kw_only=True)
class CreateShell:
    """wst:Create of a shell or a runspace pool ([MS-WSMV] 3.1.4.5.2). ``creation_xml``: PSRP."""

    shell_id: str | None = None
    name: str = ""
    input_streams: str = "stdin"
    output_streams: str = "stdout stderr"
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    idle_timeout: float | None = None
    creation_xml: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class RunCommand:
    """rsp:Command ([MS-WSMV] 3.1.4.11). ``arguments`` is as sent; PSRP puts base64 there."""

    command_id: str | None = None
    command: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Command and arguments joined by spaces, as winrscmd.dll starts them."""
        return " ".join((self.command, *self.arguments)).strip()


@dataclass(frozen=True, kw_only=True)
class StreamPiece:
    """One rsp:Stream of a Send."""

    name: str
    command_id: str
    data: bytes
    end: bool = False


@dataclass(frozen=True, kw_only=True)
class SendInput:
    """rsp:Send ([MS-WSMV] 3.1.4.13)."""

    pieces: tuple[StreamPiece, ...]


@dataclass(frozen=True, kw_only=True)
class ReceiveOutput:
    """rsp:Receive ([MS-WSMV] 3.1.4.14); ``command_id`` is empty for a runspace pool's own queue."""

    command_id: str = ""
    streams: tuple[str, ...] = ("stdout", "stderr")


@dataclass(frozen=True, kw_only=True)
class SignalCommand:
    """rsp:Signal ([MS-WSMV] 3.1.4.12); ``signal`` is the last word of the code, lower case."""

    command_id: str = ""
    signal: str = "terminate"


@dataclass(frozen=True, kw_only=True)
class DeleteShell:
    """wst:Delete of the shell that the selectors name ([MS-WSMV] 3.1.4.4)."""


@dataclass(frozen=True, kw_only=True)
class GetResource:
    """wst:Get ([MS-WSMV] 3.1.4.1.3): configuration or one shell."""


@dataclass(frozen=True, kw_only=True)
class EnumerateResource:
    """wsen:Enumerate (DSP0226 8.2); ``selectors`` come from a SelectorFilter."""

    selectors: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    optimize: bool = False


@dataclass(frozen=True, kw_only=True)
class PullItems:
    """wsen:Pull (DSP0226 8.4)."""

    context: str


@dataclass(frozen=True, kw_only=True)
class ConnectShell:
    """rsp:Connect ([MS-WSMV] 3.1.4.15); ``connect_xml`` holds PSRP fragments."""

    connect_xml: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class DisconnectShell:
    """rsp:Disconnect ([MS-WSMV] 3.1.4.16)."""


@dataclass(frozen=True, kw_only=True)
class ReconnectShell:
    """rsp:Reconnect ([MS-WSMV] 3.1.4.17)."""


@dataclass(frozen=True, kw_only=True)
class Identify:
    """wsmid:Identify (DSP0226 11): the one request without a header."""


Body = (
    CreateShell
    | RunCommand
    | SendInput
    | ReceiveOutput
    | SignalCommand
    | DeleteShell
    | GetResource
    | EnumerateResource
    | PullItems
    | ConnectShell
    | DisconnectShell
    | ReconnectShell
    | Identify
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One valid request."""

    header: Header
    body: Body


class RequestError(FaultError):
    """The request cannot be read; ``message_id`` is what RelatesTo must say, if that was read."""

    def __init__(self, fault: faults.Fault, message_id: str = "") -> None:
        """Keep the fault and the identity of the request for the answer."""
        self.message_id = message_id
        super().__init__(fault)


def parse_request(document: bytes) -> Request:
    """Read one envelope. Raises :class:`RequestError` with the fault that Windows would give."""
    try:
        root = parse(document)
    except XmlError as error:
        raise RequestError(faults.invalid_xml()) from error
    body = root.find(_S + "Body")
    if root.tag != _S + "Envelope" or body is None:
        raise RequestError(faults.invalid_xml())
    if body.find(_IDENTIFY) is not None:
        return Request(header=Header(message_id="", action=""), body=Identify())
    header = root.find(_S + "Header")
    if header is None:
        raise RequestError(faults.header_required())
    message_id = header.text_of(_A + "MessageID") or ""
    try:
        read = _header(header, message_id)
        reader = _READERS.get(read.action)
        if reader is None:
            raise FaultError(faults.action_not_supported(read.action))
        return Request(header=read, body=reader(body))
    except FaultError as error:
        raise RequestError(error.fault, message_id) from error


def _header(element: Element, message_id: str) -> Header:
    action = element.text_of(_A + "Action")
    if not message_id or not action:
        raise FaultError(faults.header_required())
    try:
        timeout = element.text_of(_W + "OperationTimeout")
        size = element.text_of(_W + "MaxEnvelopeSize")
        operation_timeout = None if timeout is None else seconds_of(timeout)
        max_envelope_size = DEFAULT_MAX_ENVELOPE if size is None else int(size)
    except ValueError as error:
        raise FaultError(faults.invalid_header()) from error
    if max_envelope_size < SMALLEST_ENVELOPE:
        raise FaultError(faults.answer_too_large())
    return Header(
        message_id=message_id,
        action=action,
        resource_uri=element.text_of(_W + "ResourceURI") or "",
        operation_timeout=operation_timeout,
        max_envelope_size=max_envelope_size,
        session_id=element.text_of(_P + "SessionId") or "",
        options=_named(element.find(_W + "OptionSet"), "Option"),
        selectors=_named(element.find(_W + "SelectorSet"), "Selector"),
    )


def _named(container: Element | None, name: str) -> dict[str, str]:
    if container is None:
        return {}
    return {item.attributes.get("Name", ""): item.text for item in container.find_all(_W + name)}


def _needed(body: Element, tag: str) -> Element:
    found = body.find(tag)
    if found is None:
        name = tag.rpartition("}")[2]
        raise FaultError(
            faults.schema_validation(
                "The Windows Remote Shell cannot process the request. "
                f"The SOAP packet does not contain the element {name}. "
                "Retry the request with the correct XML element. "
            )
        )
    return found


def _base64(element: Element) -> bytes:
    try:
        return element.octets
    except ValueError as error:
        raise FaultError(
            faults.schema_validation(
                "The Windows Remote Shell cannot process the request. "
                "The content of an element is not valid base64. "
            )
        ) from error


def _create(body: Element) -> CreateShell:
    shell = _needed(body, _R + "Shell")
    environment = shell.find(_R + "Environment")
    variables = [] if environment is None else list(environment.find_all(_R + "Variable"))
    creation = shell.find(_PS + "creationXml")
    idle = shell.text_of(_R + "IdleTimeOut")
    try:
        idle_timeout = None if idle is None else seconds_of(idle)
    except ValueError as error:
        raise FaultError(
            faults.schema_validation(f"The value {idle} of IdleTimeOut is not a duration. ")
        ) from error
    return CreateShell(
        shell_id=(shell.attributes.get("ShellId") or "").upper() or None,
        name=shell.attributes.get("Name") or shell.text_of(_R + "Name") or "",
        input_streams=shell.text_of(_R + "InputStreams") or "stdin",
        output_streams=shell.text_of(_R + "OutputStreams") or "stdout stderr",
        environment={item.attributes.get("Name", ""): item.raw_text for item in variables},
        working_directory=shell.text_of(_R + "WorkingDirectory") or None,
        idle_timeout=idle_timeout,
        creation_xml=None if creation is None else _base64(creation),
    )


def _command(body: Element) -> RunCommand:
    line = _needed(body, _R + "CommandLine")
    return RunCommand(
        command_id=line.attributes.get("CommandId", "").upper() or None,
        command=_needed(line, _R + "Command").raw_text,
        arguments=tuple(item.raw_text for item in line.find_all(_R + "Arguments")),
    )


def _send(body: Element) -> SendInput:
    send = _needed(body, _R + "Send")
    _needed(send, _R + "Stream")
    return SendInput(
        pieces=tuple(
            StreamPiece(
                name=item.attributes.get("Name", ""),
                command_id=item.attributes.get("CommandId", "").upper(),
                data=_base64(item),
                end=item.attributes.get("End", "").lower() in ("true", "1"),
            )
            for item in send.find_all(_R + "Stream")
        )
    )


def _receive(body: Element) -> ReceiveOutput:
    desired = _needed(_needed(body, _R + "Receive"), _R + "DesiredStream")
    return ReceiveOutput(
        command_id=desired.attributes.get("CommandId", "").upper(),
        streams=tuple(desired.text.split()),
    )


def _signal(body: Element) -> SignalCommand:
    signal = _needed(body, _R + "Signal")
    code = _needed(signal, _R + "Code").text
    return SignalCommand(
        command_id=signal.attributes.get("CommandId", "").upper(),
        # [MS-PSRP] spells it crtl_c, its implementation ctrl_c.
        signal=code.rpartition("/")[2].lower().replace("crtl_c", "ctrl_c"),
    )


def _enumerate(body: Element) -> EnumerateResource:
    request = _needed(body, _N + "Enumerate")
    criteria = request.find(_W + "Filter")
    selectors: dict[str, str] = {}
    query = ""
    if criteria is not None:
        selectors = _named(criteria.find(_W + "SelectorSet"), "Selector")
        query = criteria.text
    return EnumerateResource(
        selectors=selectors,
        query=query,
        optimize=request.find(_W + "OptimizeEnumeration") is not None,
    )


def _pull(body: Element) -> PullItems:
    return PullItems(context=_needed(_needed(body, _N + "Pull"), _N + "EnumerationContext").text)


def _connect(body: Element) -> ConnectShell:
    content = _needed(body, _R + "Connect").find(_PS + "connectXml")
    return ConnectShell(connect_xml=None if content is None else _base64(content))


_READERS: Mapping[str, Callable[[Element], Body]] = {
    names.CREATE: _create,
    names.COMMAND: _command,
    names.SEND: _send,
    names.RECEIVE: _receive,
    names.SIGNAL: _signal,
    names.DELETE: lambda _body: DeleteShell(),
    names.GET: lambda _body: GetResource(),
    names.ENUMERATE: _enumerate,
    names.PULL: _pull,
    names.CONNECT: _connect,
    names.DISCONNECT: lambda _body: DisconnectShell(),
    names.RECONNECT: lambda _body: ReconnectShell(),
}
