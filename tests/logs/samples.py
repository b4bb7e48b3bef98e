"""Rules, records and logs that several tests of the audit share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from opsproof.logs.model import AuditReport
from winlab.host.events import EventRecord, named

RULES = """\
title: Failed
id: 00000000-0000-0000-0000-000000000001
name: failed
logsource: {product: windows, service: security}
detection: {s: {EventID: 4625}, condition: s}
---
title: Burst
id: 00000000-0000-0000-0000-000000000002
correlation:
  type: event_count
  generate: true
  rules: [failed]
  group-by: [Computer, TargetUserName]
  timespan: 1m
  condition: {gte: 3}
---
title: Attack
id: 00000000-0000-0000-0000-000000000003
logsource: {category: webserver}
detection: {s: {cs-uri-query|contains: union select}, condition: s}
---
title: Two logs
id: 00000000-0000-0000-0000-000000000004
correlation:
  type: temporal_ordered
  generate: true
  rules: [00000000-0000-0000-0000-000000000003, failed]
  timespan: 1m
---
title: Needs Sysmon
id: 00000000-0000-0000-0000-000000000005
logsource: {product: windows, category: process_creation}
detection: {s: {Image|endswith: x}, condition: s}
---
title: Look-around
id: 00000000-0000-0000-0000-000000000006
logsource: {product: windows, service: security}
detection: {s: {Image|re: 'a(?=b)'}, condition: s}
---
title: No reader
id: 00000000-0000-0000-0000-000000000007
logsource: {product: linux}
detection: {s: {a: b}, condition: s}
"""
START = datetime(2026, 1, 5, 10, tzinfo=UTC)
WEB = """\
#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status
2026-01-05 09:59:59 203.0.113.9 GET /a.asp id=1'+UNION%20select+1&password=secret1 500
"""


def record(number: int, second: float, **fields: Any) -> EventRecord:
    plain: dict[str, Any] = {
        "provider": "Microsoft-Windows-Security-Auditing",
        "event_id": 4625,
        "channel": "Security",
        "computer": "SRV1",
        "level": 0,
        "data": named(TargetUserName="anna", TargetDomainName="EXAM", IpAddress="10.0.0.8"),
    }
    moment = START + timedelta(seconds=second)
    return EventRecord(record_id=number, time_created=moment, **{**plain, **fields})


def failures(*numbers: int, step: float = 10) -> Iterator[EventRecord]:
    return (record(number, step * place) for place, number in enumerate(numbers))


def titles(report: AuditReport) -> list[str]:
    return [hit.title for hit in report.hits]
