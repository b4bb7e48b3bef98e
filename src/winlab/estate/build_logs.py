"""What a host's logs hold when the lab starts: ready files, background and incidents."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from winlab.estate import schema
from winlab.estate.background import audit_event, background
from winlab.estate.errors import EstateError
from winlab.estate.incidents import incident_events
from winlab.estate.web_traffic import injection_scan, ordinary
from winlab.host.events import INFORMATION, EventRecord, unnamed
from winlab.host.evtx_reader import EvtxUnreadableError, read_evtx
from winlab.host.host import Host
from winlab.host.ids import stable_number
from winlab.host.iis import Site
from winlab.host.w3c import Hit, daily_files


def fill_logs(
    estate: schema.EstateSpec,
    spec: schema.HostSpec,
    host: Host,
    start: datetime,
    folder: Path,
    file: str,
) -> None:
    """Fill event logs and web logs of one host; ``start`` is the lab's time, aware UTC."""
    _event_logs(estate, spec, host, start)
    for ready in spec.event_logs:
        key = f"hosts[{spec.name}].event_logs[{ready.channel}].evtx"
        content = read_controller_file(folder, ready.evtx, key, file)
        try:
            host.eventlogs.import_records(ready.channel, read_evtx(content), len(content))
        except EvtxUnreadableError as exc:
            host.eventlogs.damage(ready.channel, str(exc), len(content))
        path = host.eventlogs.channel(ready.channel).config.path
        _put(host, path.replace("%SystemRoot%", "C:\\Windows"), content)
    if spec.iis is not None:
        for site, wanted in zip(host.iis.sites(), spec.iis.sites, strict=True):
            _web_logs(estate, spec, host, site, start)
            for name in wanted.w3c:
                key = f"hosts[{spec.name}].iis.sites[{site.name}].w3c"
                content = read_controller_file(folder, name, key, file)
                _put(host, f"{_log_folder(site)}\\{Path(name).name}", content)


def read_controller_file(folder: Path, name: str, key: str, file: str) -> bytes:
    """Return a file of the controller that an estate names; EstateError when it cannot be read."""
    try:
        return (folder / name).read_bytes()
    except OSError as exc:
        raise EstateError(
            file, key, f"{folder / name} cannot be read ({exc.strerror})", "correct the path"
        ) from exc


def _event_logs(
    estate: schema.EstateSpec, spec: schema.HostSpec, host: Host, start: datetime
) -> None:
    seed = estate.name
    records: list[EventRecord] = []
    if spec.events_per_hour:
        records += background(
            host.name, host.locale.name, spec.events_per_hour, start, estate.history_hours, seed
        )
        records += boot_events(host)
    for incident in spec.incidents:
        records += incident_events(incident, host.name, host.accounts.machine_sid, start, seed)
    if not records:
        return
    records.sort(key=lambda record: record.time_created)
    cleared = [r.time_created for r in records if r.event_id == 1102]
    if cleared:
        records = [r for r in records if r.channel != "Security" or r.time_created >= cleared[-1]]
    for channel in {record.channel for record in records}:
        # A log that has lived for a while does not begin at record 1.
        host.eventlogs.channel(channel).next_id = 1000 + stable_number(
            f"{host.name}/{channel}", 90000
        )
    host.eventlogs.extend(records)


def boot_events(host: Host) -> list[EventRecord]:
    """Return 6009, 6005 and 4608: auditing and the event log service began with the last boot."""
    booted = host.power.boot_time
    build = host.os.build
    values = {
        6009: (f"{host.os.version[:4]}", str(build), "", "Multiprocessor Free", "0"),
        6005: ("",),
    }
    found = [
        EventRecord(
            record_id=0,
            time_created=booted,
            provider="EventLog",
            event_id=event_id,
            qualifiers=32768,
            channel="System",
            computer=host.name,
            level=INFORMATION,
            process_id=0,
            thread_id=0,
            data=unnamed(*texts),
        )
        for event_id, texts in values.items()
    ]
    return [audit_event(4608, booted, computer=host.name, task=12288), *found]


def _web_logs(
    estate: schema.EstateSpec, spec: schema.HostSpec, host: Host, site: Site, start: datetime
) -> None:
    assert spec.iis is not None
    seed = f"{estate.name}/{host.name}/{site.name}"
    server = host.network.adapters[0].address
    ports = [binding.port for binding in site.bindings]
    hits: list[Hit] = []
    if spec.iis.traffic_per_hour and site.state == "Started":
        hits += ordinary(
            seed, server, ports, spec.iis.traffic_per_hour, start, estate.history_hours
        )
    for incident in spec.incidents:
        if incident.kind == "sql-injection" and incident.site == site.name:
            begin = start - timedelta(hours=incident.hours_ago)
            hits += injection_scan(seed, server, ports[0], incident.source, begin, incident.count)
    hits.sort(key=lambda hit: hit.at)
    for name, content in daily_files(hits).items():
        _put(host, f"{_log_folder(site)}\\{name}", content)


def _log_folder(site: Site) -> str:
    return site.log_folder.replace("%SystemDrive%", "C:")


def _put(host: Host, path: str, content: bytes) -> None:
    host.files.ensure_folder(path.rpartition("\\")[0])
    host.files.write(path, content)
