"""What the Windows Update client writes into the System log.

Source: the manifest of the provider Microsoft-Windows-WindowsUpdateClient: event 19 (installation
successful) and 20 (installation failure) with the names and order of their data.
"""

from __future__ import annotations

from datetime import datetime

from winlab.host.events import ERROR, INFORMATION, EventRecord, Hex, Value, named
from winlab.host.updates import Logged

PROVIDER = "Microsoft-Windows-WindowsUpdateClient"
GUID = "{945a8954-c147-4acd-923f-40c45405a658}"
_WSUS_SERVICE = "{3da21691-e39d-4da6-8a4b-b43877bcb1b7}"


def record(logged: Logged, computer: str, now: datetime) -> EventRecord:
    """The record of one result; ``now`` is aware UTC."""
    update = logged.update
    about: dict[str, Value] = {
        "updateTitle": update.title,
        "updateGuid": f"{{{update.id}}}",
        "updateRevisionNumber": update.revision,
        "serviceGuid": _WSUS_SERVICE,
    }
    failed = logged.event_id == 20
    return EventRecord(
        record_id=0,
        time_created=now,
        provider=PROVIDER,
        provider_guid=GUID,
        event_id=logged.event_id,
        version=1,
        level=ERROR if failed else INFORMATION,
        task=1,
        opcode=13,
        keywords=0x8000000000000024 if failed else 0x8000000000000018,
        channel="System",
        computer=computer,
        user_sid="S-1-5-18",
        process_id=4120,
        thread_id=5232,
        data=named(**({"errorCode": Hex(logged.hresult)} if failed else {}), **about),
    )
