"""Names of accounts turned into SIDs and back, as the modules' own helpers do it."""

from __future__ import annotations

from winlab.host.errors import WindowsError
from winlab.host.host import Host


def translate(host: Host, name: str) -> str | None:
    """The SID of a name or SID (``.\\x`` = this host), or None when nobody has that name."""
    try:
        return host.accounts.sid_of(name)
    except WindowsError:
        return None


def account_name(host: Host, sid: str) -> str:
    """DOMAIN\\name, or the SID itself when nobody has it (NTAccount translation failed)."""
    try:
        return host.accounts.name_of(sid)
    except WindowsError:
        return sid


def not_translated(locale: str) -> str:
    """IdentityNotMappedException's message."""
    if locale == "zh-CN":
        return "不能转换部分或所有标识引用。"
    return "Some or all identity references could not be translated."
