"""The one cmd.exe line that reads everything a baseline speaks of.

Few exports of parent keys stand for hundreds of values. Exports go to one scratch folder that the
same line removes; nothing in the output that is read depends on the display language.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from opsproof.errors import UsageError
from opsproof.inspection.command import LAST, MARKER, MAX_LINE, asked, step
from opsproof.policy.baseline import Setting
from opsproof.policy.health import health_steps
from opsproof.policy.origin import AUDIT_HISTORY, CLASSES
from opsproof.policy.targets import Firewall, Profile, Registry, Service
from opsproof.policy.users import user_keys, user_steps

FIREWALL_KEY = "SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy"
PROFILE_KEYS = {
    Profile.DOMAIN: "DomainProfile",
    # The registry kept the name that the private profile had before Windows Vista.
    Profile.PRIVATE: "StandardProfile",
    Profile.PUBLIC: "PublicProfile",
}

WAYS_IN = (
    "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System",
    "SYSTEM\\CurrentControlSet\\Control\\Lsa",
)
"""Keys that decide how the connecting account gets in; they are always read."""

# One export stands for all that a baseline has below these.
_PARENTS = (
    "SOFTWARE\\Policies\\Microsoft",
    "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies",
    "SYSTEM\\CurrentControlSet\\Control\\Lsa",
    "SYSTEM\\CurrentControlSet\\Control\\SecurityProviders",
    "SYSTEM\\CurrentControlSet\\Control\\Session Manager",
)
_UNSAFE = frozenset('"%&|<>^!*?\r\n')

SCRATCH = "%TEMP%\\opsproof-hardening"
"""Folder on the host for exports; the same line makes and removes it."""

FOLDER = "%SystemRoot%\\opsproof-hardening"
"""Folder on the host for the bundle. SYSTEM runs the revert from it, so only administrators may write
there, which rules out %TEMP% and %ProgramData%."""

CABINET = f"{FOLDER}.cab"
"""The one file that is copied to the host."""

APPLIED_AUDIT = "%SystemRoot%\\security\\audit"
"""Folder with the audit table that Group Policy copied to the host."""

REVERT_TASK = "opsproof-hardening-revert"
"""Name of the scheduled task that takes an apply back."""


def parent_keys(settings: Iterable[Setting]) -> tuple[str, ...]:
    """The keys below HKLM whose exports hold every value of the settings, in order."""
    wanted = {*WAYS_IN, AUDIT_HISTORY}
    for setting in settings:
        match setting.target:
            case Registry(path) if path.hive == "HKLM":
                wanted.add(path.key)
            case Firewall(profile):
                wanted.add(f"{FIREWALL_KEY}\\{PROFILE_KEYS[profile]}")
    found: dict[str, str] = {}
    for key in wanted:
        low = key.lower()
        above = next((p for p in _PARENTS if f"{low}\\".startswith(f"{p.lower()}\\")), key)
        found.setdefault(above.lower(), above)
    # A key below another that is exported anyway adds nothing.
    return tuple(
        found[low]
        for low in sorted(found)
        if not any(low.startswith(f"{other}\\") for other in found)
    )


def audit_command(
    settings: Iterable[Setting],
    *,
    asked_at: datetime,
    scratch: str = SCRATCH,
    confirm: bool = False,
) -> str:
    """One line for ``cmd.exe /c`` that prints the observed state of the settings.

    ``asked_at`` is now on the controller. With ``confirm`` it first removes the scheduled revert of
    an apply: that it runs at all proves that a new session gets in.

    Raises:
        UsageError: a name cannot stand in a command line, or the line is too long.
    """
    wanted = tuple(settings)
    keys = parent_keys(wanted)
    services = sorted(
        {s.target.name for s in wanted if isinstance(s.target, Service)}, key=str.lower
    )
    for name in (*keys, *user_keys(wanted), *services, scratch.replace("%TEMP%", "")):
        if not name or _UNSAFE & set(name):
            raise UsageError(
                f"{name!r} cannot stand in a command line", where="hardening_baselines"
            )
    quoted = " ".join(f'"HKLM\\{key}"' for key in keys)
    named = " ".join(f'"{name}"' for name in services)
    confirmation = step(
        "confirm",
        # Ends as the deletion does: a task that is gone has run, and the stage is taken back.
        f'(rd /s /q "{FOLDER}" & del "{CABINET}" & schtasks /delete /tn {REVERT_TASK} /f >nul)',
    )
    steps = [
        asked(asked_at),
        *([confirmation] if confirm else []),
        f'(if exist "{scratch}" rd /s /q "{scratch}")',
        f'mkdir "{scratch}"',
        f'cd /d "{scratch}"',
        step("version", "ver"),
        step("pending", f"schtasks /query /tn {REVERT_TASK} >nul 2>nul"),
        step("user", "whoami /user /fo csv /nh"),
        step("groups", "whoami /groups /fo csv /nh"),
        *health_steps(),
        # A new file: into an existing one without a mark secedit would write ANSI.
        step(
            "security",
            "(secedit /export /cfg s.inf /areas SECURITYPOLICY USER_RIGHTS >nul && type s.inf)",
        ),
        step("audit", "(auditpol /backup /file:a.csv >nul && type a.csv)"),
        f"(for %k in ({quoted}) do @(echo {MARKER}begin key %~k& reg export %k k.reg /y >nul 2>nul "
        f"&& type k.reg && echo {MARKER}end ok || echo {MARKER}end failed))",
    ]
    steps += user_steps(user_keys(wanted), scratch)
    steps += _origin_steps()
    if services:
        steps.append(
            f"(for %s in ({named}) do @(echo {MARKER}begin service %~s& sc qc %s "
            f"&& echo {MARKER}end ok || echo {MARKER}end failed))"
        )
    steps += ['cd /d "%SystemRoot%"', f'rd /s /q "{scratch}"']
    line = " & ".join((*steps, LAST))
    if len(line) > MAX_LINE:
        raise UsageError(
            f"the command has {len(line)} characters, cmd.exe reads {MAX_LINE}",
            where="hardening_baselines",
            remedy="put registry settings below fewer parent keys",
        )
    return line


def _origin_steps() -> list[str]:
    """What :func:`opsproof.policy.origin.origins` reads. wmic waits for an input that never ends."""
    rsop = " ".join(f'"{name} get {asked}"' for name, asked in CLASSES.items())
    wmic = "wmic /namespace:\\\\root\\rsop\\computer path"
    return [
        step("domain", "wmic computersystem get Domain,PartOfDomain /value <nul"),
        step(
            "merged",
            "(secedit /export /mergedpolicy /cfg m.inf /areas SECURITYPOLICY USER_RIGHTS SERVICES "
            ">nul && type m.inf)",
        ),
        # A host without a domain is spared eight starts of wmic.
        f'(wmic computersystem get PartOfDomain /value <nul | find "TRUE" >nul '
        f"&& (for %c in ({rsop}) do @(echo {MARKER}begin rsop %~c& {wmic} %~c /value <nul 2>nul "
        f"&& echo {MARKER}end ok || echo {MARKER}end failed)))",
        # The wildcard makes a host without the file no step at all instead of a failed one.
        f'(for %f in ("{APPLIED_AUDIT}\\audit*.csv") do @(echo {MARKER}begin gpoaudit %~nxf& '
        f'type "%f" && echo {MARKER}end ok || echo {MARKER}end failed))',
    ]
