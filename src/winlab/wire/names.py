"""Namespaces, actions and resources of WS-Management as Windows speaks it.

Sources: DSP0226 (WS-Management) annex on XML namespaces; [MS-WSMV] 2.2.1 (namespaces), 2.2.2
(resource URIs) and 3.1.4.1 (actions); [MS-PSRP] 2.2.5 for the PowerShell resource.
"""

from __future__ import annotations

from typing import Final

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
ANONYMOUS: Final = ADDRESSING + "/role/anonymous"
TRANSFER: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION: Final = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
WSMAN: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
WSMV: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
SHELL: Final = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CONFIG: Final = "http://schemas.microsoft.com/wbem/wsman/1/config"
IDENTITY: Final = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
FAULT: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
FAULT_DETAIL: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail"
WMI_ERROR: Final = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"
POWERSHELL: Final = "http://schemas.microsoft.com/powershell"
XML: Final = "http://www.w3.org/XML/1998/namespace"

FAULT_ACTION_WSMAN: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
FAULT_ACTION_ADDRESSING: Final = ADDRESSING + "/fault"

CREATE: Final = TRANSFER + "/Create"
DELETE: Final = TRANSFER + "/Delete"
GET: Final = TRANSFER + "/Get"
ENUMERATE: Final = ENUMERATION + "/Enumerate"
PULL: Final = ENUMERATION + "/Pull"
COMMAND: Final = SHELL + "/Command"
SEND: Final = SHELL + "/Send"
RECEIVE: Final = SHELL + "/Receive"
SIGNAL: Final = SHELL + "/Signal"
CONNECT: Final = SHELL + "/Connect"
DISCONNECT: Final = SHELL + "/Disconnect"
RECONNECT: Final = SHELL + "/Reconnect"

RESOURCE_CMD: Final = SHELL + "/cmd"
RESOURCE_COMMAND: Final = SHELL + "/Command"
RESOURCE_CONFIG: Final = CONFIG
RESOURCE_POWERSHELL: Final = POWERSHELL + "/"
STATE_DONE: Final = SHELL + "/CommandState/Done"
STATE_RUNNING: Final = SHELL + "/CommandState/Running"
