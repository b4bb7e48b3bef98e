"""The faults that WinRM gives, with the codes and the words of Windows.

Sources: DSP0226 14 (faults), [MS-WSMV] 2.2.4.43 (WSManFault), wsmerror.h of the Windows SDK for
codes and texts, answers recorded from Windows in the tests of pypsrp and pywinrm.
"""

from __future__ import annotations

from dataclasses import dataclass

from winlab.wire.names import FAULT_ACTION_ADDRESSING, FAULT_ACTION_WSMAN, FAULT_DETAIL

TIMED_OUT = 0x80338029
UNEXPECTED_SELECTORS = 0x8033805B
INVALID_PARAMETER = 87
INVALID_HEADER = 0x8033800F
HEADER_REQUIRED = 0x80338011
ACTION_NOT_SUPPORTED = 0x80338013
INVALID_RESOURCE_URI = 0x8033803B
SCHEMA_VALIDATION = 0x80338041
INVALID_XML = 0x80338043
MAX_ENVELOPE_SIZE_EXCEEDED = 0x80338048
ENCODING_LIMIT = 0x80338035
QUOTA_MAX_SHELLS = 0x803381A5
QUOTA_MAX_OPERATIONS = 0x803381A6
QUOTA_MAX_COMMANDS_PER_SHELL = 0x803381E9
QUOTA_MAX_SHELLUSERS = 0x803381AB
OPERATION_ABORTED = 995
ACCESS_DENIED = 5
INVALID_ENUMERATION_CONTEXT = 0x8033801B

CMD_PLUGIN = ("Shell cmd plugin", "%systemroot%\\system32\\winrscmd.dll")
POWERSHELL_PLUGIN = (
    "microsoft.powershell",
    "C:\\Windows\\system32\\pwrshplugin.dll",
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One SOAP fault. ``code`` and ``subcode`` carry the prefixes s, w, a and n of the answer.

    ``number`` is the Windows error; ``wmi`` puts it into an MSFT_WmiError instead of a WSManFault,
    as Windows does for quotas. ``provider`` names the plug-in that failed and its path.
    """

    code: str
    subcode: str
    reason: str
    number: int
    detail: str | None = None
    message: str | None = None
    provider: tuple[str, str] | None = None
    wmi: bool = False

    @property
    def action(self) -> str:
        """The a:Action of the answer: WS-Addressing faults have their own."""
        return FAULT_ACTION_ADDRESSING if self.subcode.startswith("a:") else FAULT_ACTION_WSMAN


class FaultError(Exception):
    """Carries a :class:`Fault` up to whoever answers the request."""

    def __init__(self, fault: Fault) -> None:
        """Keep the fault for the answer."""
        self.fault = fault
        super().__init__(f"{fault.subcode} {fault.number}: {fault.reason}")


def _sender(subcode: str, number: int, reason: str, detail: str | None = None) -> Fault:
    return Fault(code="s:Sender", subcode=subcode, number=number, reason=reason, detail=detail)


def timed_out() -> Fault:
    """Nothing happened within OperationTimeout (wsmerror.h, recorded)."""
    return Fault(
        code="s:Receiver",
        subcode="w:TimedOut",
        number=TIMED_OUT,
        reason="The WS-Management service cannot complete the operation within the time "
        "specified in OperationTimeout.  ",
    )


def unknown_shell(shell_id: str) -> Fault:
    """No shell has that ShellId (recorded from Server 2022)."""
    return Fault(
        code="s:Sender",
        subcode="w:InvalidSelectors",
        number=UNEXPECTED_SELECTORS,
        reason="The WS-Management service cannot process the request because the request "
        "contained invalid selectors for the resource. ",
        detail=FAULT_DETAIL + "/UnexpectedSelectors",
        message=f"The request for the Windows Remote Shell with ShellId {shell_id} failed because "
        "the shell was not found on the server. Possible causes are: the specified ShellId is "
        "incorrect or the shell no longer exists on the server. Provide the correct ShellId or "
        "create a new shell and retry the operation. ",
        provider=("Shell provider", "%systemroot%\\system32\\WsmSvc.dll"),
    )


def unknown_command(provider: tuple[str, str] = CMD_PLUGIN) -> Fault:
    """No command of that shell has that CommandId (recorded from Server 2016)."""
    return Fault(
        code="s:Sender",
        subcode="w:InvalidParameter",
        number=INVALID_PARAMETER,
        reason="The parameter is incorrect. ",
        detail=FAULT_DETAIL + "/InvalidValue",
        provider=provider,
    )


def invalid_header() -> Fault:
    """A header's value is wrong, such as OperationTimeout PT-1S."""
    return _sender(
        "a:InvalidMessageInformationHeader",
        INVALID_HEADER,
        "The WS-Management service cannot process the request. The request contains one or more "
        "invalid SOAP headers. ",
    )


def header_required() -> Fault:
    """A header that WS-Addressing demands is missing."""
    return _sender(
        "a:MessageInformationHeaderRequired",
        HEADER_REQUIRED,
        "The WS-Management service cannot process the request. The request does not have all the "
        "expected SOAP headers. ",
    )


def action_not_supported(action: str) -> Fault:
    """Nothing answers that a:Action."""
    return Fault(
        code="s:Sender",
        subcode="a:ActionNotSupported",
        number=ACTION_NOT_SUPPORTED,
        reason="The WS-Management service does not support the action specified in the request. ",
        message=f"The WS-Management service does not support the action specified in the request: "
        f"{action}",
    )


def invalid_resource(uri: str) -> Fault:
    """No plug-in serves that ResourceURI."""
    return Fault(
        code="s:Sender",
        subcode="w:InvalidResourceURI",
        number=INVALID_RESOURCE_URI,
        reason="The WS-Management service cannot process the request. The resource URI is missing "
        "or it has an incorrect format. Check the documentation or use the following command for "
        'information on how to construct a resource URI: "winrm help uris". ',
        message=f"The WS-Management service cannot process the request. The resource URI ({uri}) "
        "was not found in the WS-Management catalog. The catalog contains the metadata that "
        "describes resources, or logical endpoints. ",
    )


def no_such_configuration(name: str, machine: str) -> Fault:
    """No session configuration has that name. assumed: the number; the words are Windows'."""
    return Fault(
        code="s:Sender",
        subcode="w:InvalidResourceURI",
        number=INVALID_RESOURCE_URI,
        reason="The WS-Management service cannot process the request. Cannot find the "
        f"{name} session configuration in the WSMan: drive on the {machine} computer. ",
    )


def schema_validation(message: str) -> Fault:
    """The XML is well-formed and not what the action needs (recorded from Server 2008)."""
    return Fault(
        code="s:Sender",
        subcode="w:SchemaValidationError",
        number=SCHEMA_VALIDATION,
        reason="The SOAP XML in the message does not match the corresponding XML schema "
        "definition. Change the XML and retry. ",
        message=message,
    )


def invalid_xml() -> Fault:
    """The body is not XML. assumed: which subcode Windows gives with ERROR_WSMAN_INVALID_XML."""
    return _sender(
        "w:SchemaValidationError",
        INVALID_XML,
        "The WS-Management service cannot process the request because the XML is invalid. ",
    )


def envelope_too_large(limit_kb: int) -> Fault:
    """The request is larger than MaxEnvelopeSizekb (DSP0226 13.1, R13.1-5)."""
    return Fault(
        code="s:Sender",
        subcode="w:EncodingLimit",
        number=ENCODING_LIMIT,
        reason="The WS-Management service cannot process the request because the encoding of the "
        "request exceeds an internal encoding limit. Reconfigure the client to send messages "
        "which fit the encoding limits of the service. ",
        detail=FAULT_DETAIL + "/MaxEnvelopeSize",
        message=f"The request is larger than MaxEnvelopeSizekb, which is {limit_kb}. ",
    )


def answer_too_large() -> Fault:
    """The client's MaxEnvelopeSize leaves no room for any answer."""
    return Fault(
        code="s:Sender",
        subcode="w:EncodingLimit",
        number=MAX_ENVELOPE_SIZE_EXCEEDED,
        reason="The response that the WS-Management service computed exceeds the maximum envelope "
        "size in the request. ",
        detail=FAULT_DETAIL + "/MaxEnvelopeSizeExceeded",
    )


def quota(number: int, limit: int, user: str) -> Fault:
    """A per-user quota is used up; ``number`` is one of the QUOTA codes, ``limit`` its value."""
    texts = {
        QUOTA_MAX_SHELLS: f"This user is allowed a maximum number of {limit} concurrent shells, "
        "which has been exceeded. Close existing shells or raise the quota for this user. ",
        QUOTA_MAX_OPERATIONS: f"This user is allowed a maximum number of {limit} concurrent "
        "operations, which has been exceeded. Close existing operations for this user, or raise "
        "the quota for this user. ",
        QUOTA_MAX_COMMANDS_PER_SHELL: "The maximum number of concurrent commands per shell, "
        f"which is {limit}, has been exceeded. Retry after one of the commands has ended. ",
        QUOTA_MAX_SHELLUSERS: "The WinRM service is configured to accept a maximum number of "
        f"{limit} concurrent shell users, which has been exceeded; {user} is one more. ",
    }
    return Fault(
        code="s:Receiver",
        subcode="w:QuotaLimit",
        number=number,
        reason="The WS-Management service cannot process the request. " + texts[number],
        wmi=True,
    )


def aborted(provider: tuple[str, str] = CMD_PLUGIN) -> Fault:
    """The operation ended because its command or shell was ended by somebody."""
    return Fault(
        code="s:Receiver",
        subcode="w:InternalError",
        number=OPERATION_ABORTED,
        reason="The I/O operation has been aborted because of either a thread exit or an "
        "application request. ",
        provider=provider,
    )


def internal_error(message: str) -> Fault:
    """The provider broke; ``message`` says how. Code 1359 is ERROR_INTERNAL_ERROR."""
    return Fault(
        code="s:Receiver",
        subcode="w:InternalError",
        number=1359,
        reason="An internal error occurred. ",
        message=message,
    )


def access_denied() -> Fault:
    """The account may not do that."""
    return _sender("w:AccessDenied", ACCESS_DENIED, "Access is denied. ")


def no_shells() -> Fault:
    """Policy says AllowRemoteShellAccess 0; that it comes as access denied is assumed."""
    reason = (
        "The WS-Management service cannot process the request. The service is configured to not "
        "accept any remote shell requests. "
    )
    return _sender("w:AccessDenied", ACCESS_DENIED, reason)


def invalid_enumeration_context() -> Fault:
    """A Pull names no enumeration that is open."""
    return Fault(
        code="s:Receiver",
        subcode="n:InvalidEnumerationContext",
        number=INVALID_ENUMERATION_CONTEXT,
        reason="The WS-Enumeration context in the enumeration is not valid. Enumeration may have "
        "been completed or canceled. You cannot use this enumeration context anymore. Start a new "
        "enumeration. ",
    )
