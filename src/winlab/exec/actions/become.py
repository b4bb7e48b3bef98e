"""become_wrapper.ps1: run what follows as another user (ansible-core 2.19, Ansible.Become.cs)."""

from __future__ import annotations

from dataclasses import replace

from winlab.exec.actions.chain import Chain, WrapperError
from winlab.exec.outcome import Outcome
from winlab.host.errors import WindowsError
from winlab.modules.kit.context import user_context
from winlab.modules.kit.dotnet import calling
from winlab.modules.kit.principals import not_translated

_SYSTEM = "S-1-5-18"
_SERVICE_ACCOUNTS = {
    _SYSTEM: "NT AUTHORITY\\SYSTEM",
    "S-1-5-19": "NT AUTHORITY\\LOCAL SERVICE",
    "S-1-5-20": "NT AUTHORITY\\NETWORK SERVICE",
}
_LOGON_TYPES = frozenset(
    {
        "Interactive",
        "Network",
        "Batch",
        "Service",
        "Unlock",
        "NetworkCleartext",
        "NewCredentials",
    }
)


def run(chain: Chain) -> Outcome:
    """Check the logon as CreateProcessAsUser does, then run the rest as that user."""
    name = str(chain.action.params.get("BecomeUser") or "")
    kind = str(chain.action.params.get("LogonType", "Interactive"))
    if kind not in _LOGON_TYPES:
        raise _failure(
            chain,
            f'Cannot convert argument "logonType", with value: "{kind}", for '
            f'"CreateProcessAsUser" to type "Ansible.AccessToken.LogonType"',
        )
    seclogon = chain.host.services.find("seclogon")
    if seclogon is not None and seclogon.start_mode == "disabled":
        raise _win32(chain, "CreateProcessWithTokenW() failed", 1058, eight=False)
    before = chain.context
    if kind == "NewCredentials":
        # Only what leaves the host would use the new credentials: here the user stays the same.
        return chain.next()
    user = _logged_on(chain, name)
    context = user_context(before.host, user, before)
    outcome = chain.next(context)
    before.duration, before.goes_down_after = context.duration, context.goes_down_after
    return replace(outcome)


def _logged_on(chain: Chain, name: str) -> str:
    """The account to run as; raises WrapperError with the genuine text when it may not."""
    host = chain.host
    bare = name.removeprefix(".\\")
    try:
        sid = host.accounts.sid_of(bare)
    except WindowsError as error:
        raise _failure(chain, not_translated(host.locale.name)) from error
    password = chain.action.secure_params.get("BecomePassword")
    privileged = host.accounts.is_admin(chain.context.user)
    if not privileged and (sid in _SERVICE_ACCOUNTS or not password):
        raise _failure(
            chain,
            "Failed to get token for NT AUTHORITY\\SYSTEM required for become as a service account "
            "or an account without a password",
        )
    if sid in _SERVICE_ACCOUNTS:
        return _SERVICE_ACCOUNTS[sid]
    user = host.accounts.find_user(sid)
    shown = bare if "\\" in bare or "@" in bare else f".\\{bare}"
    if user is None:
        raise _win32(chain, f"Failed to logon {shown}", 1326)
    if password and password != (user.password or ""):
        raise _win32(chain, f"Failed to logon {shown}", 1326)
    if not user.enabled:
        raise _win32(chain, f"Failed to logon {shown}", 1331)
    return user.name


def _win32(chain: Chain, message: str, code: int, *, eight: bool = True) -> WrapperError:
    # Ansible.AccessToken writes the code in hexadecimal too, Ansible.Process does not.
    text = WindowsError(code).text(chain.host.locale.name)
    number = f"{code} - 0x{code:08X}" if eight else str(code)
    return _failure(chain, f"{message} ({text.rstrip('.')}, Win32ErrorCode {number})")


def _failure(chain: Chain, message: str) -> WrapperError:
    return WrapperError(calling("CreateProcessAsUser", 9, message, chain.host.locale.name))
