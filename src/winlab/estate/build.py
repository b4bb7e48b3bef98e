"""Hosts from an estate: the one place that turns `winlab.estate.schema` into `winlab.host` state."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from winlab.estate import schema
from winlab.estate.build_logs import fill_logs, read_controller_file
from winlab.estate.build_roles import add_role
from winlab.estate.build_sql import add_sql_server
from winlab.estate.errors import EstateError
from winlab.estate.schema_policy import built as policies
from winlab.estate.updates import add_updates, update_file
from winlab.host.certificates import Certificate
from winlab.host.errors import WindowsError
from winlab.host.files import Drive
from winlab.host.hardware import Hardware
from winlab.host.host import GIB, Host
from winlab.host.host import HostSpec as Blueprint
from winlab.host.ids import stable_number
from winlab.host.iis import AppPool, Binding, Site
from winlab.host.network import Adapter, SslRecord
from winlab.host.services import Service, Trigger
from winlab.server.authority import Issued
from winlab.server.signing import SigningCa, SigningKey, SigningServer
from winlab.server.site_tls import SiteCa

_WEB_ROOT = "C:\\inetpub\\wwwroot"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What all hosts of one lab share while they are built.

    ``clock`` gives the lab's time as aware UTC, ``start`` is that time once; ``folder`` is where
    relative paths of the estate file begin; ``file`` names that file in errors.
    """

    estate: schema.EstateSpec
    password: str
    clock: Callable[[], datetime]
    start: datetime
    site_ca: SiteCa
    signing_ca: SigningCa
    folder: Path
    file: str


@dataclass(frozen=True)
class Built:
    """A host with what the server needs beside it: certificates by thumbprint."""

    spec: schema.HostSpec
    host: Host
    address: str
    winrm: schema.WinrmSpec
    issued: dict[str, Issued]


def build_hosts(plan: Plan, addresses: list[str]) -> list[Built]:
    """Return all hosts, peers connected.

    Raises EstateError when a file of the controller is missing, or a host cannot be as the estate
    says, such as with a file on a drive that it has not.
    """
    built = [
        _built(plan, spec, number, address)
        for number, (spec, address) in enumerate(
            zip(schema.all_hosts(plan.estate), addresses, strict=True), 1
        )
    ]
    by_name = {item.spec.name: item.host for item in built}
    for item in built:
        item.host.network.peers.update({name: by_name[name] for name in item.spec.peers})
    return built


def _built(plan: Plan, spec: schema.HostSpec, number: int, address: str) -> Built:
    try:
        return build_host(plan, spec, number, address)
    except WindowsError as exc:
        raise EstateError(
            plan.file,
            f"hosts[{spec.name}]",
            f"Windows would refuse this: {exc}",
            "name another path, or give the host that drive under disks",
        ) from exc


def build_host(plan: Plan, spec: schema.HostSpec, number: int, address: str) -> Built:
    """Return one host; ``number`` counts from 1 and gives its modelled network address."""
    defaults = plan.estate.defaults
    disks = {disk.letter: disk for disk in spec.disks}
    system = disks.pop("C", schema.DiskSpec(letter="C"))
    blueprint = Blueprint(
        name=spec.name,
        release=spec.os or defaults.os,
        locale=spec.locale or defaults.locale,
        edition=spec.edition or defaults.edition,
        zone=spec.time_zone or defaults.time_zone,
        admin=plan.estate.user,
        admin_password=plan.password,
        hardware=_hardware(spec),
        system_drive_gib=system.size_gb,
        system_used_gib=system.size_gb * system.used_percent // 100,
        drives=tuple(_drive(spec.name, disk) for disk in disks.values()),
        uptime=timedelta(hours=spec.uptime_hours),
        seed=f"{plan.estate.name}/{spec.name}",
    )
    try:
        host = Host(blueprint, plan.clock)
    except KeyError as exc:
        raise EstateError(
            plan.file, f"hosts[{spec.name}]", f"{exc} is not modelled", "choose another value"
        ) from exc
    issued: dict[str, Issued] = {}
    with host.guard.exempt():
        host.clock.offset = timedelta(milliseconds=spec.clock_offset_ms)
        _network(host, number, plan.estate.domain)
        add_role(host, spec)
        add_sql_server(host, spec, plan.password, plan.estate.user, plan.file)
        by_id = _certificates(plan, host, spec, address, issued)
        for service in spec.services:
            _service(host, service)
        if spec.iis is not None:
            _iis(host, spec.iis, by_id)
            _applications(plan, host, spec.iis)
        _files(plan, host, spec)
        for user in spec.users:
            host.accounts.create_user(user.name, None, full_name=user.full_name)
            for group in user.groups:
                host.accounts.add_member(group, user.name)
        for item in spec.registry:
            host.registry.set_value(item.key, item.name, item.value)
        host.power.require_reboot(*spec.pending_reboot)
        if spec.member:
            host.network.domain = plan.estate.domain
            host.group_policy.assign(policies(plan.estate.gpos, spec.gpos, plan.estate.domain))
            host.group_policy.refresh()
        if spec.configuration_manager != "none":
            host.power.client = spec.configuration_manager
            _service(
                host, schema.ServiceSpec(name="CcmExec", display="SMS Agent Host", start="delayed")
            )
        if spec.updates is not None:
            add_updates(host, plan.estate.updates, spec.updates, plan.estate.domain)
        fill_logs(plan.estate, spec, host, plan.start, plan.folder, plan.file)
    return Built(spec, host, address, spec.winrm or defaults.winrm, issued)


def _hardware(spec: schema.HostSpec) -> Hardware:
    memory = spec.memory_gb * 1024
    number = stable_number(f"{spec.name}/hardware", 2**48)
    text = f"{number:012x}"
    serial = " ".join(text[i : i + 2] for i in range(0, 12, 2))
    return Hardware(
        memory_mb=memory,
        free_memory_mb=memory * 55 // 100,
        sockets=1 if spec.processors < 2 else 2,
        cores=max(1, spec.processors // 2),
        serial=f"VMware-42 1a 2b 3c 4d 5e 6f 70-81 92 {serial}",
        uuid=f"3C2B1A42-5E4D-706F-8192-{text.upper()}",
    )


def _drive(name: str, disk: schema.DiskSpec) -> Drive:
    size = disk.size_gb * GIB
    return Drive(
        letter=f"{disk.letter}:",
        size=size,
        used=size * disk.used_percent // 100,
        label=disk.label,
        serial=stable_number(f"{name}/{disk.letter}/serial", 2**32),
    )


def _network(host: Host, number: int, domain: str) -> None:
    third, fourth = divmod(number + 10, 250)
    mac = f"00-15-5D-00-{number >> 8 & 255:02X}-{number & 255:02X}"
    host.network.adapters = (
        Adapter(
            address=f"10.20.{third}.{fourth}", gateway="10.20.0.1", dns=("10.20.0.2",), mac=mac
        ),
    )
    host.network.dns_suffix = domain
    host.clock.source = "10.20.0.2,0x8"


def _service(host: Host, spec: schema.ServiceSpec) -> None:
    running = spec.state == "running"
    pid = 1000 + 4 * stable_number(spec.name + spec.path, 1500) if running else 0
    before = host.services.find(spec.name)
    service = before or Service(
        name=spec.name,
        display_name=spec.display or spec.name,
        path=spec.path or f"C:\\Program Files\\{spec.name}\\{spec.name}.exe",
    )
    host.services.put(
        replace(
            service,
            display_name=spec.display or service.display_name,
            description=spec.description or service.description,
            start_mode=spec.start,
            state="started" if running else "stopped",
            process_id=pid,
            exit_code=spec.exit_code,
            account=spec.account,
            triggers=(Trigger(type="custom"),) if spec.trigger else service.triggers,
        )
    )


def _certificates(
    plan: Plan, host: Host, spec: schema.HostSpec, address: str, issued: dict[str, Issued]
) -> dict[str, tuple[str, str]]:
    """Issue the host's certificates; return id -> (thumbprint, store)."""
    found: dict[str, tuple[str, str]] = {}
    for item in spec.certificates:
        name = item.cn or f"{spec.name}.{plan.estate.domain}"
        begin = plan.start - timedelta(days=item.days_old)
        end = plan.start + timedelta(days=item.days_left)
        made = plan.site_ca.issue(name, item.dns, address, min(begin, end), max(begin, end))
        certificate = Certificate(
            der=made.der,
            friendly_name=item.friendly_name,
            key_container=f"{host.ids.guid()}",
        )
        host.certificates.add(item.store, certificate)
        issued[certificate.thumbprint] = made
        found[item.id] = (certificate.thumbprint, item.store)
    if spec.certificates:
        host.certificates.add("Root", Certificate(der=plan.site_ca.der))
    return found


def _iis(host: Host, spec: schema.IisSpec, by_id: dict[str, tuple[str, str]]) -> None:
    pools = {pool.name: pool for pool in spec.pools}
    for name in dict.fromkeys(["DefaultAppPool", *pools, *(site.pool for site in spec.sites)]):
        pool = pools.get(name, schema.PoolSpec(name=name))
        host.iis.put_pool(
            AppPool(
                name=name,
                state="Started" if pool.state == "started" else "Stopped",
                auto_start=pool.auto_start,
            )
        )
    for number, site in enumerate(spec.sites, 1):
        root = site.root or (_WEB_ROOT if number == 1 else f"C:\\inetpub\\{site.name}")
        host.files.ensure_folder(root)
        for name, text in site.content.items():
            _write(host, f"{root}\\{name}", text.encode())
        host.iis.put_site(
            Site(
                name=site.name,
                id=number,
                bindings=tuple(_binding(host, b, by_id) for b in site.bindings),
                pool=site.pool,
                path=root,
                state="Started" if site.state == "started" else "Stopped",
                auto_start=site.auto_start,
            )
        )


def _applications(plan: Plan, host: Host, spec: schema.IisSpec) -> None:
    for site in spec.sites:
        if site.signing:
            keys = [_signing_key(plan, key) for key in site.signing]
            host.iis.applications[site.name] = SigningServer(plan.signing_ca, keys)


def _signing_key(plan: Plan, spec: schema.SigningKeySpec) -> SigningKey:
    return SigningKey(
        name=spec.name,
        kind=spec.kind,
        state=spec.state,
        not_before=plan.start - timedelta(days=spec.days_old),
        not_after=plan.start + timedelta(days=spec.days_left),
        ca=plan.signing_ca,
    )


def _binding(host: Host, spec: schema.BindingSpec, by_id: dict[str, tuple[str, str]]) -> Binding:
    information = f"*:{spec.port}:{spec.host}"
    if spec.protocol == "http" or spec.certificate is None:
        return Binding(information=information)
    thumbprint, store = by_id[spec.certificate]
    endpoint = f"{spec.host}:{spec.port}" if spec.host else f"0.0.0.0:{spec.port}"
    host.network.put_ssl_record(
        SslRecord(endpoint=endpoint, thumbprint=thumbprint, store=store, sni=bool(spec.host))
    )
    return Binding(
        protocol="https",
        information=information,
        thumbprint=thumbprint,
        store=store,
        ssl_flags=1 if spec.host else 0,
    )


def _files(plan: Plan, host: Host, spec: schema.HostSpec) -> None:
    for item in spec.files:
        if item.update is not None:
            content = update_file(item.update, plan.estate.updates, host.os.year)
        elif item.source is None:
            content = _dated(host, plan.start, item.text or "").encode(item.encoding)
        else:
            key = f"hosts[{spec.name}].files[{item.path}].source"
            content = read_controller_file(plan.folder, item.source, key, plan.file)
        _write(host, item.path, content)


def _dated(host: Host, start: datetime, text: str) -> str:
    """The text with its times, by the host's own clock and zone."""

    def stamp(match: re.Match[str]) -> str:
        at = host.clock.local(start - timedelta(hours=float(match[1])))
        return f"{at:%Y-%m-%d %H:%M:%S}"

    return re.sub(r"\{ago (\d+(?:\.\d+)?)h\}", stamp, text)


def _write(host: Host, path: str, content: bytes) -> None:
    host.files.ensure_folder(path.rpartition("\\")[0])
    host.files.write(path, content)
