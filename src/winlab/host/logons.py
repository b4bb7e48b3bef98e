"""What the Security log says about network logons.

Sources: "4624(S): An account was successfully logged on", "4625(F): An account failed to log on",
"4672(S): Special privileges assigned to new logon" and "4776(S, F): The computer attempted to
validate the credentials for an account" on Microsoft Learn, for fields, status codes and reasons;
[MS-ERREF] 2.3 (NTSTATUS). The audit policy of the host decides which of them are written.

assumed: the client's address stands in Basic logons too; 4634 at their end is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from winlab.host.accounts import User
from winlab.host.events import (
    KEYWORD_AUDIT_FAILURE,
    KEYWORD_AUDIT_SUCCESS,
    EventData,
    Hex,
    Value,
    named,
)
from winlab.host.host import Host
from winlab.host.policy_logon import may_log_on

_AUDIT = "Microsoft-Windows-Security-Auditing"
_AUDIT_GUID = "{54849625-5478-4994-a5ba-3e3b0328c30d}"
_LSASS = 664
_NOBODY = "S-1-0-0"
_NO_GUID = "{00000000-0000-0000-0000-000000000000}"
_FIRST_LOGON = 0x100000
_IMPERSONATION = "%%1833"
_YES, _NO = "%%1842", "%%1843"
# Status, sub-status and reason of 4625.
_WRONG_PASSWORD = (0xC000006D, 0xC000006A, "%%2313")
_NO_SUCH_USER = (0xC000006D, 0xC0000064, "%%2313")
_DISABLED = (0xC000006E, 0xC0000072, "%%2310")
_LOCKED = (0xC0000234, 0, "%%2307")
_NOT_GRANTED = (0xC000015B, 0, "%%2308")
# Subcategories of the audit policy (ntsecapi.h).
_LOGON = "{0cce9215-69ae-11d9-bed3-505054503030}"
_SPECIAL_LOGON = "{0cce921b-69ae-11d9-bed3-505054503030}"
_VALIDATION = "{0cce923f-69ae-11d9-bed3-505054503030}"
_FAILED = {"keywords": KEYWORD_AUDIT_FAILURE}
_PRIVILEGES = (
    "SeSecurityPrivilege",
    "SeBackupPrivilege",
    "SeRestorePrivilege",
    "SeTakeOwnershipPrivilege",
    "SeDebugPrivilege",
    "SeSystemEnvironmentPrivilege",
    "SeLoadDriverPrivilege",
    "SeImpersonatePrivilege",
    "SeDelegateSessionUserImpersonatePrivilege",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logon:
    r"""One attempt to log on over the network.

    ``account`` is as the client named it (``user``, ``.\user``, ``DOMAIN\user``); ``ntlm`` tells
    NTLM from a password that the WinRM service checked itself (Basic); ``workstation`` is the
    client's name in NTLM's last message.
    """

    account: str
    accepted: bool
    ntlm: bool
    address: str
    port: int
    workstation: str = ""


def note_logon(host: Host, logon: Logon) -> None:
    """Write what Windows logs for it: 4776, 4624 and (for administrators) 4672, or 4625."""
    domain, _, name = logon.account.rpartition("\\")
    user = host.accounts.find_user(logon.account)
    if logon.accepted and user is not None:
        _note_success(host, logon, user)
        return
    status, detail, reason = _failure_of(host, user)
    if _audited(host, _VALIDATION, success=False):
        _write(host, 4776, 14336, _validated(host, logon, name, detail or status), **_FAILED)
    if not _audited(host, _LOGON, success=False):
        return
    _write(
        host,
        4625,
        12544,
        named(
            **_subject(host, logon),
            TargetUserSid=_NOBODY,
            TargetUserName=name,
            TargetDomainName=host.name if domain == "." else domain,
            Status=Hex(status),
            FailureReason=reason,
            SubStatus=Hex(detail),
            LogonType=3,
            **_package(logon),
            WorkstationName=logon.workstation or "-",
            TransmittedServices="-",
            LmPackageName="-",
            KeyLength=0,
            **_origin(host, logon),
        ),
        **_FAILED,
    )


def _audited(host: Host, subcategory: str, *, success: bool) -> bool:
    return bool(host.policy.audit[subcategory] & (1 if success else 2))


def _validated(host: Host, logon: Logon, name: str, status: int) -> EventData:
    return named(
        PackageName="MICROSOFT_AUTHENTICATION_PACKAGE_V1_0",
        TargetUserName=name,
        Workstation=logon.workstation or host.name,
        Status=Hex(status),
    )


def _failure_of(host: Host, user: User | None) -> tuple[int, int, str]:
    """Tell why; a password is looked at before policy, which here nobody can see from outside."""
    if user is None:
        return _NO_SUCH_USER
    if not user.enabled:
        return _DISABLED
    if user.account_locked:
        return _LOCKED
    return _WRONG_PASSWORD if may_log_on(host, user.name) else _NOT_GRANTED


def _note_success(host: Host, logon: Logon, user: User) -> None:
    if _audited(host, _VALIDATION, success=True):
        _write(host, 4776, 14336, _validated(host, logon, user.name, 0))
    if _audited(host, _LOGON, success=True):
        _note_session(host, logon, user)


def _note_session(host: Host, logon: Logon, user: User) -> None:
    number = Hex(_FIRST_LOGON + 0x2B * host.eventlogs.channel("Security").next_id)
    admin = host.accounts.is_admin(user.name)
    _write(
        host,
        4624,
        12544,
        named(
            **_subject(host, logon),
            TargetUserSid=user.sid,
            TargetUserName=user.name,
            TargetDomainName=host.name,
            TargetLogonId=number,
            LogonType=3,
            **_package(logon),
            WorkstationName=logon.workstation or "-",
            LogonGuid=_NO_GUID,
            TransmittedServices="-",
            LmPackageName="NTLM V2" if logon.ntlm else "-",
            KeyLength=128 if logon.ntlm else 0,
            **_origin(host, logon),
            ImpersonationLevel=_IMPERSONATION,
            RestrictedAdminMode="-",
            TargetOutboundUserName="-",
            TargetOutboundDomainName="-",
            VirtualAccount=_NO,
            TargetLinkedLogonId=Hex(0),
            ElevatedToken=_YES if admin else _NO,
        ),
        version=2,
    )
    if admin and _audited(host, _SPECIAL_LOGON, success=True):
        _write(
            host,
            4672,
            12548,
            named(
                SubjectUserSid=user.sid,
                SubjectUserName=user.name,
                SubjectDomainName=host.name,
                SubjectLogonId=number,
                PrivilegeList="\n\t\t\t".join(_PRIVILEGES),
            ),
        )


def _subject(host: Host, logon: Logon) -> dict[str, Value]:
    """Nobody asked for an NTLM logon; for Basic it is the WinRM service, as NETWORK SERVICE."""
    sid, name, domain, number = (
        (_NOBODY, "-", "-", 0) if logon.ntlm else ("S-1-5-20", f"{host.name}$", "WORKGROUP", 0x3E4)
    )
    return {
        "SubjectUserSid": sid,
        "SubjectUserName": name,
        "SubjectDomainName": domain,
        "SubjectLogonId": Hex(number),
    }


def _package(logon: Logon) -> dict[str, Value]:
    process, package = ("NtLmSsp ", "NTLM") if logon.ntlm else ("Advapi  ", "Negotiate")
    return {"LogonProcessName": process, "AuthenticationPackageName": package}


def _origin(host: Host, logon: Logon) -> dict[str, Value]:
    service = host.services.find("WinRM")
    process = 0 if logon.ntlm or service is None else service.process_id
    return {
        "ProcessId": Hex(process),
        "ProcessName": "C:\\Windows\\System32\\svchost.exe" if process else "-",
        "IpAddress": logon.address,
        "IpPort": str(logon.port),
    }


def _write(host: Host, event_id: int, task: int, data: EventData, **fields: Any) -> None:
    given: dict[str, Any] = {"keywords": KEYWORD_AUDIT_SUCCESS, "version": 0} | fields
    host.eventlogs.log(
        "Security",
        _AUDIT,
        event_id,
        level=0,
        task=task,
        provider_guid=_AUDIT_GUID,
        process_id=_LSASS,
        thread_id=708,
        data=data,
        **given,
    )
