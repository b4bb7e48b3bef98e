"""Things that happened to a host before the lab started, as its event logs tell them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from winlab.estate.background import AUDIT_GUID, SCM, SCM_GUID, audit_event
from winlab.estate.schema import IncidentSpec
from winlab.host.eventlogs import EVENTLOG_GUID, EVENTLOG_NAMESPACE, EVENTLOG_PROVIDER
from winlab.host.events import (
    ERROR,
    INFORMATION,
    KEYWORD_AUDIT_FAILURE,
    EventRecord,
    Hex,
    named,
    user_data,
)

_BAD_PASSWORD, _NO_SUCH_USER = 0xC000006A, 0xC0000064


def incident_events(
    incident: IncidentSpec, computer: str, machine_sid: str, start: datetime, seed: str
) -> list[EventRecord]:
    """Return the records of one incident; an empty list for those that only web logs show."""
    at = start - timedelta(hours=incident.hours_ago)
    source = random.Random(f"{seed}/{computer}/{incident.kind}")  # noqa: S311 - makes test data
    if incident.kind == "failed-logons":
        return _failed_logons(source, incident, computer, at)
    if incident.kind == "log-cleared":
        return [_log_cleared(incident, computer, machine_sid, at)]
    if incident.kind == "service-crash":
        return [_crash(incident, computer, at, number) for number in range(1, incident.count + 1)]
    return []


def _failed_logons(
    source: random.Random, incident: IncidentSpec, computer: str, at: datetime
) -> list[EventRecord]:
    """4625 as "An account failed to log on" (Microsoft Learn) lists its fields."""
    records = []
    for _ in range(incident.count):
        at += timedelta(milliseconds=source.randint(300, 2500))
        known = source.random() < 0.8
        records.append(
            audit_event(
                4625,
                at,
                computer=computer,
                task=12544,
                keywords=KEYWORD_AUDIT_FAILURE,
                provider_guid=AUDIT_GUID,
                data=named(
                    SubjectUserSid="S-1-0-0",
                    SubjectUserName="-",
                    SubjectDomainName="-",
                    SubjectLogonId=Hex(0),
                    TargetUserSid="S-1-0-0",
                    TargetUserName=incident.account if known else f"{incident.account}1",
                    TargetDomainName=computer,
                    Status=Hex(0xC000006D),
                    FailureReason="%%2313",
                    SubStatus=Hex(_BAD_PASSWORD if known else _NO_SUCH_USER),
                    LogonType=3,
                    LogonProcessName="NtLmSsp ",
                    AuthenticationPackageName="NTLM",
                    WorkstationName="WORKSTATION",
                    TransmittedServices="-",
                    LmPackageName="-",
                    KeyLength=0,
                    ProcessId=Hex(0),
                    ProcessName="-",
                    IpAddress=incident.source,
                    IpPort=str(source.randint(49152, 65535)),
                ),
            )
        )
    return records


def _log_cleared(
    incident: IncidentSpec, computer: str, machine_sid: str, at: datetime
) -> EventRecord:
    return EventRecord(
        record_id=0,
        time_created=at,
        provider=EVENTLOG_PROVIDER,
        provider_guid=EVENTLOG_GUID,
        event_id=1102,
        channel="Security",
        computer=computer,
        level=INFORMATION,
        task=104,
        keywords=0x4020000000000000,
        process_id=1120,
        thread_id=2404,
        data=user_data(
            "LogFileCleared",
            EVENTLOG_NAMESPACE,
            [
                ("SubjectUserSid", f"{machine_sid}-500"),
                ("SubjectUserName", incident.account),
                ("SubjectDomainName", computer),
                ("SubjectLogonId", "0x5a3c1f"),
            ],
        ),
    )


def _crash(incident: IncidentSpec, computer: str, at: datetime, number: int) -> EventRecord:
    """7034: the service terminated unexpectedly."""
    return EventRecord(
        record_id=0,
        time_created=at + timedelta(minutes=number - 1),
        provider=SCM,
        provider_guid=SCM_GUID,
        event_source_name="Service Control Manager",
        event_id=7034,
        qualifiers=49152,
        channel="System",
        computer=computer,
        level=ERROR,
        keywords=0x8080000000000000,
        process_id=648,
        thread_id=4012,
        data=named(param1=incident.service, param2=number),
    )
