"""What the service can answer, and the writer that turns it into an envelope.

The shape is the one recorded from Windows (reference: pypsrp's and pywinrm's recorded exchanges):
Envelope with xml:lang, Header with Action, MessageID, To (anonymous) and RelatesTo, then Body.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from winlab.wire import names
from winlab.wire.durations import duration_of, long_duration_of
from winlab.wire.faults import Fault
from winlab.wire.xml import attribute, content

_XMLNS = (
    f'xmlns:s="{names.SOAP}" xmlns:a="{names.ADDRESSING}" xmlns:x="{names.TRANSFER}" '
    f'xmlns:n="{names.ENUMERATION}" xmlns:w="{names.WSMAN}" xmlns:p="{names.WSMV}" '
    f'xmlns:rsp="{names.SHELL}"'
)
ConfigValue: TypeAlias = "str | Mapping[str, ConfigValue]"

# Bytes around the base64 of one Receive: envelope, streams and the command's state.
ANSWER_OVERHEAD = 2_048


@dataclass(frozen=True, kw_only=True)
class ShellView:
    """A shell as Create, Get and Enumerate show it ([MS-WSMV] 2.2.4.37). Times in seconds."""

    shell_id: str
    resource_uri: str
    owner: str
    client_ip: str
    idle_timeout: float
    input_streams: str
    output_streams: str
    run_time: float = 0.0
    inactivity: float = 0.0
    name: str = ""
    process_id: int | None = None  # given for a runspace pool, which has more fields
    state: str = "Connected"


@dataclass(frozen=True, kw_only=True)
class CommandView:
    """A command as Enumerate shows it ([MS-WSMV] 3.1.4.8)."""

    shell_id: str
    command_id: str
    line: str


@dataclass(frozen=True, kw_only=True)
class ShellCreated:
    """x:ResourceCreated and rsp:Shell; ``address`` is the URL the client used."""

    shell: ShellView
    address: str


@dataclass(frozen=True, kw_only=True)
class CommandStarted:
    """rsp:CommandResponse."""

    command_id: str


@dataclass(frozen=True, kw_only=True)
class InputTaken:
    """rsp:SendResponse."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """rsp:ReceiveResponse. ``streams``: (name, bytes), one rsp:Stream each.

    ``exit_code`` set: the command is done and the streams in ``ended`` are closed. ``state``
    False leaves CommandState out, as for a runspace pool's own queue.
    """

    command_id: str
    streams: tuple[tuple[str, bytes], ...] = ()
    ended: tuple[str, ...] = ()
    exit_code: int | None = None
    state: bool = True


@dataclass(frozen=True, kw_only=True)
class Signalled:
    """rsp:SignalResponse."""


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """The empty answer to Delete."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """cfg:Config: names and values, nested by section."""

    settings: Mapping[str, ConfigValue]


@dataclass(frozen=True, kw_only=True)
class Shell:
    """The answer to Get of one shell."""

    shell: ShellView


@dataclass(frozen=True, kw_only=True)
class Enumerated:
    """wsen:EnumerateResponse or PullResponse with all items at once."""

    items: tuple[ShellView | CommandView, ...] = ()
    pulled: bool = False


@dataclass(frozen=True, kw_only=True)
class EnumerationStarted:
    """wsen:EnumerateResponse to a client that will Pull."""

    context: str


@dataclass(frozen=True, kw_only=True)
class Connected:
    """rsp:ConnectResponse with PSRP fragments."""

    response_xml: bytes


@dataclass(frozen=True, kw_only=True)
class Disconnected:
    """rsp:DisconnectResponse."""


@dataclass(frozen=True, kw_only=True)
class Reconnected:
    """rsp:ReconnectResponse."""


@dataclass(frozen=True, kw_only=True)
class Identified:
    """wsmid:IdentifyResponse; Windows shows its version only to those who have logged in."""

    os_version: str = "0.0.0"
    schemes: tuple[str, ...] = field(default=())


Answer = (
    ShellCreated
    | CommandStarted
    | InputTaken
    | Output
    | Signalled
    | Deleted
    | Config
    | Shell
    | Enumerated
    | EnumerationStarted
    | Connected
    | Disconnected
    | Reconnected
    | Identified
    | Fault
)

_ACTIONS: Mapping[type[object], str] = {
    ShellCreated: names.CREATE + "Response",
    CommandStarted: names.COMMAND + "Response",
    InputTaken: names.SEND + "Response",
    Output: names.RECEIVE + "Response",
    Signalled: names.SIGNAL + "Response",
    Deleted: names.DELETE + "Response",
    Config: names.GET + "Response",
    Shell: names.GET + "Response",
    EnumerationStarted: names.ENUMERATE + "Response",
    Connected: names.CONNECT + "Response",
    Disconnected: names.DISCONNECT + "Response",
    Reconnected: names.RECONNECT + "Response",
}


def render(answer: Answer, *, message_id: str, relates_to: str, machine: str) -> bytes:
    """Write one envelope. ``message_id`` is a GUID, ``relates_to`` the request's whole MessageID.

    ``machine`` is the name that a fault gives as its origin.
    """
    if isinstance(answer, Identified):
        return _identified(answer)
    related = f"<a:RelatesTo>{content(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<s:Envelope xml:lang="en-US" {_XMLNS}><s:Header><a:Action>{_action(answer)}</a:Action>'
        f"<a:MessageID>uuid:{message_id}</a:MessageID><a:To>{names.ANONYMOUS}</a:To>{related}"
        f"</s:Header><s:Body>{_body(answer, machine)}</s:Body></s:Envelope>"
    ).encode()


def _action(answer: Answer) -> str:
    if isinstance(answer, Fault):
        return answer.action
    if isinstance(answer, Enumerated):
        return (names.PULL if answer.pulled else names.ENUMERATE) + "Response"
    return _ACTIONS[type(answer)]


def _body(answer: Answer, machine: str) -> str:
    match answer:
        case Output():
            return _output(answer)
        case CommandStarted():
            return (
                "<rsp:CommandResponse><rsp:CommandId>"
                f"{content(answer.command_id)}</rsp:CommandId></rsp:CommandResponse>"
            )
        case InputTaken():
            return "<rsp:SendResponse/>"
        case Signalled():
            return "<rsp:SignalResponse/>"
        case ShellCreated():
            return _created(answer)
        case Fault():
            return _fault(answer, machine)
        case Config():
            return _config(answer)
        case Shell():
            return _shell(answer.shell)
        case Enumerated():
            return _enumerated(answer)
        case EnumerationStarted():
            return (
                "<n:EnumerateResponse><n:EnumerationContext>"
                f"{content(answer.context)}</n:EnumerationContext></n:EnumerateResponse>"
            )
        case Connected():
            return (
                f'<rsp:ConnectResponse><connectResponseXml xmlns="{names.POWERSHELL}">'
                f"{_base64(answer.response_xml)}</connectResponseXml></rsp:ConnectResponse>"
            )
        case Disconnected():
            return "<rsp:DisconnectResponse/>"
        case Reconnected():
            return "<rsp:ReconnectResponse/>"
        case _:
            return ""


def _base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _output(answer: Output) -> str:
    command = f' CommandId="{attribute(answer.command_id)}"' if answer.command_id else ""
    pieces = ["<rsp:ReceiveResponse>"]
    for name, data in answer.streams:
        pieces.append(f'<rsp:Stream Name="{name}"{command}>{_base64(data)}</rsp:Stream>')
    pieces += [f'<rsp:Stream Name="{name}"{command} End="true"/>' for name in answer.ended]
    if answer.exit_code is not None:
        pieces.append(
            f'<rsp:CommandState{command} State="{names.STATE_DONE}">'
            f"<rsp:ExitCode>{answer.exit_code}</rsp:ExitCode></rsp:CommandState>"
        )
    elif answer.state:
        pieces.append(f'<rsp:CommandState{command} State="{names.STATE_RUNNING}"/>')
    pieces.append("</rsp:ReceiveResponse>")
    return "".join(pieces)


def _created(answer: ShellCreated) -> str:
    shell = answer.shell
    return (
        f"<x:ResourceCreated><a:Address>{content(answer.address)}</a:Address>"
        f"<a:ReferenceParameters><w:ResourceURI>{content(shell.resource_uri)}</w:ResourceURI>"
        f'<w:SelectorSet><w:Selector Name="ShellId">{content(shell.shell_id)}</w:Selector>'
        "</w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>" + _shell(shell)
    )


def _shell(shell: ShellView) -> str:
    pool = shell.process_id is not None
    fields = [("ShellId", shell.shell_id), ("Name", shell.name)] if shell.name else []
    fields = fields or [("ShellId", shell.shell_id)]
    fields += [
        ("ResourceUri", shell.resource_uri),
        ("Owner", shell.owner),
        ("ClientIP", shell.client_ip),
    ]
    if pool:
        fields.append(("ProcessId", str(shell.process_id)))
    fields.append(("IdleTimeOut", duration_of(shell.idle_timeout)))
    fields += [("InputStreams", shell.input_streams), ("OutputStreams", shell.output_streams)]
    if pool:
        fields += [
            ("MaxIdleTimeOut", duration_of(2_147_483.647)),
            ("Locale", "en-US"),
            ("DataLocale", "en-US"),
            ("CompressionMode", "NoCompression"),
            ("ProfileLoaded", "Yes"),
            ("Encoding", "UTF8"),
            ("BufferMode", "Block"),
            ("State", shell.state),
        ]
    fields += [
        ("ShellRunTime", long_duration_of(shell.run_time)),
        ("ShellInactivity", long_duration_of(shell.inactivity)),
    ]
    inner = "".join(f"<rsp:{name}>{content(value)}</rsp:{name}>" for name, value in fields)
    return f"<rsp:Shell>{inner}</rsp:Shell>"


def _fault(fault: Fault, machine: str) -> str:
    detail = f"<w:FaultDetail>{fault.detail}</w:FaultDetail>" if fault.detail else ""
    return (
        f"<s:Fault><s:Code><s:Value>{fault.code}</s:Value><s:Subcode><s:Value>{fault.subcode}"
        '</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">'
        f"{content(fault.reason)}</s:Text></s:Reason><s:Detail>{detail}"
        f"{_wmi_error(fault) if fault.wmi else _wsman_fault(fault, machine)}</s:Detail></s:Fault>"
    )


def _wsman_fault(fault: Fault, machine: str) -> str:
    message = content(fault.message or fault.reason)
    if fault.provider is not None:
        name, path = fault.provider
        message = (
            f'<f:ProviderFault provider="{attribute(name)}" path="{attribute(path)}">'
            f"{message}</f:ProviderFault>"
        )
    return (
        f'<f:WSManFault xmlns:f="{names.FAULT}" Code="{fault.number}" '
        f'Machine="{attribute(machine)}"><f:Message>{message}</f:Message></f:WSManFault>'
    )


def _wmi_error(fault: Fault) -> str:
    """MSFT_WmiError as quota faults carry it; 27 is CIM_ERR_SERVER_LIMITS_EXCEEDED (DSP0004)."""
    return (
        f'<e:MSFT_WmiError xmlns:e="{names.WMI_ERROR}"><e:CIMStatusCode>27</e:CIMStatusCode>'
        "<e:ErrorType>0</e:ErrorType>"
        f"<e:Message>{content(fault.reason)}</e:Message>"
        f"<e:MessageID>HRESULT 0x{fault.number:08x}</e:MessageID>"
        "<e:OwningEntity/><e:PerceivedSeverity>0</e:PerceivedSeverity>"
        "<e:ProbableCause>0</e:ProbableCause>"
        f"<e:error_Category>30</e:error_Category><e:error_Code>{fault.number}</e:error_Code>"
        "<e:error_Type>HRESULT</e:error_Type></e:MSFT_WmiError>"
    )


def _config(answer: Config) -> str:
    def element(name: str, value: ConfigValue) -> str:
        if isinstance(value, str):
            return f"<cfg:{name}>{content(value)}</cfg:{name}>"
        return f"<cfg:{name}>{''.join(element(*item) for item in value.items())}</cfg:{name}>"

    inner = "".join(element(*item) for item in answer.settings.items())
    return f'<cfg:Config xmlns:cfg="{names.CONFIG}" xml:lang="en-US">{inner}</cfg:Config>'


def _enumerated(answer: Enumerated) -> str:
    inner = "".join(
        _shell(item) if isinstance(item, ShellView) else _listed_command(item)
        for item in answer.items
    )
    if answer.pulled:
        return f"<n:PullResponse><n:Items>{inner}</n:Items><n:EndOfSequence/></n:PullResponse>"
    return (
        f"<n:EnumerateResponse><n:EnumerationContext/><w:Items>{inner}</w:Items>"
        "<w:EndOfSequence/></n:EnumerateResponse>"
    )


def _listed_command(command: CommandView) -> str:
    return (
        f"<rsp:Command><rsp:ShellId>{content(command.shell_id)}</rsp:ShellId>"
        f"<rsp:CommandId>{content(command.command_id)}</rsp:CommandId>"
        f"<rsp:State>Running</rsp:State><rsp:CommandLine>{content(command.line)}</rsp:CommandLine>"
        "</rsp:Command>"
    )


def _identified(answer: Identified) -> bytes:
    schemes = "".join(
        f"<wsmid:SecurityProfileName>{content(scheme)}</wsmid:SecurityProfileName>"
        for scheme in answer.schemes
    )
    profiles = f"<wsmid:SecurityProfiles>{schemes}</wsmid:SecurityProfiles>" if schemes else ""
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{names.SOAP}"><s:Header/><s:Body>'
        f'<wsmid:IdentifyResponse xmlns:wsmid="{names.IDENTITY}">'
        f"<wsmid:ProtocolVersion>{names.WSMAN}</wsmid:ProtocolVersion>"
        "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>OS: {content(answer.os_version)} SP: 0.0 Stack: 3.0"
        f"</wsmid:ProductVersion>{profiles}</wsmid:IdentifyResponse></s:Body></s:Envelope>"
    ).encode()
