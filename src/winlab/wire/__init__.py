"""WS-Management as bytes and as typed messages; no sockets, clocks or randomness in here.

``parse_request`` and ``render`` are the two directions; :mod:`winlab.wire.sealed` frames messages
that NTLM encrypted. Sources: [MS-WSMV], DSP0226 (WS-Management), SOAP 1.2.
"""

from winlab.wire.answers import Answer, render
from winlab.wire.faults import Fault, FaultError
from winlab.wire.requests import Request, RequestError, parse_request

__all__ = ["Answer", "Fault", "FaultError", "Request", "RequestError", "parse_request", "render"]
