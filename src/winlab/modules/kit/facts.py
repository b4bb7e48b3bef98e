"""Facts about a host, one function for each subset of setup.ps1 (ansible.windows 3.3.0)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from ipaddress import IPv4Network
from typing import Any

from winlab.host.host import Host
from winlab.host.registry import RegData
from winlab.modules.kit.context import RunContext
from winlab.modules.kit.filefacts import seconds

Facts = dict[str, Any]

_CURRENT_VERSION = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
_FILETIME_UNIX = 116444736000000000
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_GUEST_MODELS = {
    "kvm": ("KVM", "KVM Server", "Bochs", "AHV", "CloudStack KVM Hypervisor"),
    "RHEV": ("RHEV Hypervisor",),
    "VMware": ("VMWare*",),
    "openstack": ("OpenStack Compute", "OpenStack Nova"),
    "xen": ("xen", "HVM domU"),
    "Hyper-V": ("Virtual Machine",),
    "VirtualBox": ("VirtualBox",),
}
_GUEST_MAKERS = {
    "kvm": ("QEMU", "oVirt", "Amazon EC2", "DigitalOcean", "Google", "Scaleway", "Nutanix"),
    "parallels": ("Parallels Software International Inc.",),
    "openstack": ("OpenStack Foundation",),
}


def _registry(host: Host, path: str, name: str) -> RegData | None:
    value = host.registry.value(path, name)
    return None if value is None else value.data


def addresses(context: RunContext) -> Facts:
    """All addresses but loopback."""
    found: list[str] = []
    for adapter in context.host.network.adapters:
        found += [address for address in (adapter.ipv6, adapter.address) if address]
    return {"ansible_ip_addresses": found}


def bios(context: RunContext) -> Facts:
    """Firmware and serial number."""
    hardware = context.host.hardware
    year, month, day = hardware.bios_date.split("-")
    return {
        "ansible_bios_date": f"{month}/{day}/{year}",
        "ansible_bios_version": hardware.bios_version,
        "ansible_product_name": hardware.model,
        "ansible_product_serial": hardware.serial,
        "ansible_product_uuid": hardware.uuid,
    }


def date_time(context: RunContext) -> Facts:
    """The host's clock, local and UTC."""
    utc, local = context.host.now(), context.host.clock.local()
    offset = local.strftime("%z")
    return {
        "ansible_date_time": {
            "date": local.strftime("%Y-%m-%d"),
            "day": local.strftime("%d"),
            "epoch_local": f"{seconds(local):.5f}",
            "epoch": f"{utc.timestamp():.5f}",
            "epoch_int": round(utc.timestamp()),
            "hour": local.strftime("%H"),
            "iso8601": utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "iso8601_basic": local.strftime("%Y%m%dT%H%M%S%f"),
            "iso8601_basic_short": local.strftime("%Y%m%dT%H%M%S"),
            "iso8601_micro": utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "minute": local.strftime("%M"),
            "month": local.strftime("%m"),
            "second": local.strftime("%S"),
            "time": local.strftime("%H:%M:%S"),
            "tz": context.host.clock.zone.name,
            "tz_offset": f"{offset[:3]}:{offset[3:5]}",
            "weekday": _WEEKDAYS[local.weekday()],
            "weekday_number": str((local.weekday() + 1) % 7),
            "weeknumber": str(local.timetuple().tm_yday // 7),
            "year": local.strftime("%Y"),
        }
    }


def distribution(context: RunContext) -> Facts:
    """Windows' name and version; the names need administrator's rights, as on Windows."""
    host = context.host
    installed = _registry(host, _CURRENT_VERSION, "InstallTime")
    facts: Facts = {
        "ansible_distribution": None,
        "ansible_distribution_version": f"{host.os.version}.0",
        "ansible_distribution_major_version": host.os.version.partition(".")[0],
        "ansible_os_family": "Windows",
        "ansible_os_name": None,
        "ansible_os_product_type": "server",
        "ansible_os_installation_type": _registry(host, _CURRENT_VERSION, "InstallationType"),
        "ansible_os_install_date": None,
    }
    if isinstance(installed, int) and installed > _FILETIME_UNIX:
        moment = datetime.fromtimestamp((installed - _FILETIME_UNIX) / 10**7, tz=host.now().tzinfo)
        facts["ansible_os_install_date"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if host.accounts.is_admin(context.user):
        facts["ansible_distribution"] = host.os.caption
        facts["ansible_os_name"] = host.os.caption
    return facts


def env(context: RunContext) -> Facts:
    """Environment variables, without trailing backslashes."""
    shown = {**context.host.environment_of(context.user), **context.extra_environment}
    return {"ansible_env": {name: value.rstrip("\\") for name, value in shown.items()}}


def interfaces(context: RunContext) -> Facts:
    """Adapters that are neither loopback nor tunnel."""
    network = context.host.network
    found = []
    for index, adapter in enumerate(network.adapters):
        prefix = IPv4Network(f"0.0.0.0/{adapter.mask}").prefixlen
        ipv6 = {"address": adapter.ipv6, "prefix": "64"} if adapter.ipv6 else None
        found.append(
            {
                "connection_name": adapter.name,
                "default_gateway": adapter.gateway or None,
                "dns_domain": network.dns_suffix or None,
                "interface_index": 5 + index,
                "interface_name": adapter.description,
                "ipv4": {"address": adapter.address, "prefix": str(prefix)},
                "ipv6": ipv6,
                "macaddress": adapter.mac.replace("-", ":").upper(),
                "mtu": 1500,
                "speed": 10000,
            }
        )
    return {"ansible_interfaces": found}


def memory(context: RunContext) -> Facts:
    """Memory and page files in MB; page files need administrator's rights."""
    host, hardware = context.host, context.host.hardware
    admin = host.accounts.is_admin(context.user)
    return {
        "ansible_memtotal_mb": hardware.memory_mb,
        "ansible_memfree_mb": hardware.free_memory_mb,
        "ansible_swaptotal_mb": 0,
        "ansible_pagefiletotal_mb": hardware.pagefile_mb if admin else None,
        "ansible_pagefilefree_mb": (
            hardware.pagefile_mb - hardware.pagefile_used_mb if admin else None
        ),
    }


def platform(context: RunContext) -> Facts:
    """Names, owner, machine id, pending reboot."""
    host = context.host
    suffix, member = host.network.dns_suffix, _is_member(host)
    fqdn = f"{host.name}.{suffix}" if suffix else host.name
    admin = host.accounts.is_admin(context.user)
    comment = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters"
    return {
        "ansible_domain": host.network.domain if member else "",
        "ansible_fqdn": fqdn,
        "ansible_hostname": host.name,
        "ansible_netbios_name": host.name,
        "ansible_kernel": f"{host.os.version}.0",
        "ansible_nodename": fqdn,
        "ansible_machine_id": host.accounts.machine_sid,
        "ansible_owner_name": _registry(host, _CURRENT_VERSION, "RegisteredOwner") or "",
        "ansible_system": "Win32NT",
        "ansible_system_description": _registry(host, comment, "srvcomment") or "",
        "ansible_system_vendor": host.hardware.manufacturer,
        "ansible_architecture": host.text("64-bit", "64 位") if admin else None,
        "ansible_owner_contact": "",
        "ansible_reboot_pending": _reboot_pending(host),
        "ansible_architecture2": "x86_64",
    }


def _reboot_pending(host: Host) -> bool:
    """The three places that setup.ps1 reads; Windows Update's mark is not among them."""
    manager = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"
    based = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing"
    cache = "HKLM\\SOFTWARE\\Microsoft\\ServerManager\\ServicingStorage\\ServerComponentCache"
    return (
        bool(_registry(host, manager, "PendingFileRenameOperations"))
        or host.registry.exists(f"{based}\\RebootPending")
        or bool(_registry(host, cache, "RestartRequired"))
    )


def _is_member(host: Host) -> bool:
    return "." in host.network.domain


def powershell_version(context: RunContext) -> Facts:
    """Major version of Windows PowerShell, 5 on every release the lab's modules run on."""
    return {"ansible_powershell_version": 5 if context.host.os.managed else 2}


def processor(context: RunContext) -> Facts:
    """Processors."""
    hardware = context.host.hardware
    total = hardware.sockets * hardware.cores
    listed: list[str] = []
    for number in range(total):
        listed += [str(number), hardware.cpu_vendor, hardware.cpu]
    return {
        "ansible_processor": listed,
        "ansible_processor_count": hardware.sockets,
        "ansible_processor_vcpus": total,
        "ansible_processor_cores": hardware.cores,
        "ansible_processor_threads_per_core": 1,
    }


def uptime(context: RunContext) -> Facts:
    """Boot time by the local clock (marked Z, as the original does) and seconds since."""
    host = context.host
    return {
        "ansible_lastboot": host.clock.local(host.power.boot_time).strftime("%Y-%m-%d %H:%M:%SZ"),
        "ansible_uptime_seconds": host.power.uptime_seconds(),
    }


def user(context: RunContext) -> Facts:
    """Who runs this."""
    return {
        "ansible_user_dir": context.environment.get("USERPROFILE"),
        "ansible_user_gecos": "",
        "ansible_user_id": context.environment.get("USERNAME"),
        "ansible_user_sid": context.user_sid,
    }


def windows_domain(context: RunContext) -> Facts:
    """Domain or workgroup."""
    member = _is_member(context.host)
    return {
        "ansible_windows_domain": context.host.network.domain,
        "ansible_windows_domain_member": member,
        "ansible_windows_domain_role": "Member server" if member else "Stand-alone server",
    }


def winrm(context: RunContext) -> Facts:
    """The certificate of the WinRM HTTPS listener, when http.sys has a record for port 5986."""
    host = context.host
    for record in host.network.ssl_records:
        if record.endpoint.endswith(":5986"):
            return {"ansible_win_rm_certificate_thumbprint": record.thumbprint.upper()}
    return {}


def virtual(context: RunContext) -> Facts:
    """Which hypervisor, by model, then by maker."""
    hardware = context.host.hardware
    model = hardware.model.lower()
    kind = next(
        (
            name
            for name, models in _GUEST_MODELS.items()
            if any(fnmatchcase(model, pattern.lower()) for pattern in models)
        ),
        None,
    ) or next(
        (name for name, makers in _GUEST_MAKERS.items() if hardware.manufacturer in makers), None
    )
    return {
        "ansible_virtualization_role": "guest" if kind else "NA",
        "ansible_virtualization_type": kind or "NA",
    }


def facter(context: RunContext) -> Facts:
    """Facter's facts: none, for no lab host has facter.exe."""
    del context
    return {}


SUBSETS: Mapping[tuple[str, ...], Callable[[RunContext], Facts]] = {
    ("all_ipv4_addresses", "all_ipv6_addresses"): addresses,
    ("bios",): bios,
    ("date_time",): date_time,
    ("distribution",): distribution,
    ("env",): env,
    ("facter",): facter,
    ("interfaces",): interfaces,
    ("memory",): memory,
    ("platform",): platform,
    ("powershell_version",): powershell_version,
    ("processor",): processor,
    ("uptime",): uptime,
    ("user",): user,
    ("windows_domain",): windows_domain,
    ("winrm",): winrm,
    ("virtual",): virtual,
}
