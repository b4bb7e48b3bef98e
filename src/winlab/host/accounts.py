"""Local users, groups and well-known principals of one host.

Sources: "Well-known SIDs", "USER_INFO_4", "Local accounts" on Microsoft Learn. Names of the
built-in accounts and groups are English on zh-CN Windows too; their descriptions are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from winlab.host.errors import WindowsError

ADMINISTRATORS_SID = "S-1-5-32-544"

WELL_KNOWN: dict[str, tuple[str, str]] = {
    "S-1-0-0": ("", "NULL SID"),
    "S-1-1-0": ("", "Everyone"),
    "S-1-3-0": ("", "CREATOR OWNER"),
    "S-1-5-2": ("NT AUTHORITY", "NETWORK"),
    "S-1-5-4": ("NT AUTHORITY", "INTERACTIVE"),
    "S-1-5-6": ("NT AUTHORITY", "SERVICE"),
    "S-1-5-7": ("NT AUTHORITY", "ANONYMOUS LOGON"),
    "S-1-5-11": ("NT AUTHORITY", "Authenticated Users"),
    "S-1-5-15": ("NT AUTHORITY", "This Organization"),
    "S-1-5-17": ("NT AUTHORITY", "IUSR"),
    "S-1-5-18": ("NT AUTHORITY", "SYSTEM"),
    "S-1-5-19": ("NT AUTHORITY", "LOCAL SERVICE"),
    "S-1-5-20": ("NT AUTHORITY", "NETWORK SERVICE"),
    "S-1-5-113": ("NT AUTHORITY", "Local account"),
    "S-1-5-114": ("NT AUTHORITY", "Local account and member of Administrators group"),
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464": (
        "NT SERVICE",
        "TrustedInstaller",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A local user. Times are aware UTC or None for never; ``password`` None = empty."""

    name: str
    sid: str
    password: str | None = None
    full_name: str = ""
    description: str = ""
    enabled: bool = True
    password_never_expires: bool = False
    user_cannot_change_password: bool = False
    password_expired: bool = False
    password_required: bool = True
    account_locked: bool = False
    home_directory: str = ""
    login_script: str = ""
    profile: str = ""
    password_set: datetime | None = None
    expires: datetime | None = None
    last_logon: datetime | None = None
    bad_logons: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A local group; ``members`` are SIDs in the order they were added."""

    name: str
    sid: str
    description: str = ""
    members: tuple[str, ...] = ()


class Accounts:
    """Users and groups of one host, and who may do what.

    Errors: 1317 or 2221 no such user, 1319 or 2220 no such group, 1332 unknown name, 1377 and 1378
    membership, 2223 and 2224 exists.
    """

    __slots__ = ("_groups", "_next_rid", "_users", "_write", "host_name", "machine_sid")

    def __init__(
        self,
        host_name: str,
        machine_sid: str,
        users: Iterable[User],
        groups: Iterable[Group],
        write: Callable[[str], None],
    ) -> None:
        """``machine_sid`` is the prefix of local users' SIDs (S-1-5-21-a-b-c)."""
        self.host_name = host_name
        self.machine_sid = machine_sid
        self._users = {u.name.lower(): u for u in users}
        self._groups = {g.name.lower(): g for g in groups}
        self._next_rid = 1001
        self._write = write

    def users(self) -> list[User]:
        """Return the users by name."""
        return [self._users[key] for key in sorted(self._users)]

    def groups(self) -> list[Group]:
        """Return the groups by name."""
        return [self._groups[key] for key in sorted(self._groups)]

    def _bare(self, name: str) -> str | None:
        """Return the local part of ``.\\user``, ``HOST\\user``, ``BUILTIN\\x`` or ``user``."""
        domain, slash, user = name.rpartition("\\")
        if not slash:
            return name
        if domain.lower() in {".", self.host_name.lower(), "builtin", "localhost"}:
            return user
        return None

    def find_user(self, name: str) -> User | None:
        """Return a user by name (bare, .\\name or HOST\\name) or SID."""
        if name.upper().startswith("S-1-"):
            return next((u for u in self._users.values() if u.sid == name.upper()), None)
        bare = self._bare(name)
        return None if bare is None else self._users.get(bare.lower())

    def find_group(self, name: str) -> Group | None:
        """Return a group by name (bare, BUILTIN\\name or HOST\\name) or SID."""
        if name.upper().startswith("S-1-"):
            return next((g for g in self._groups.values() if g.sid == name.upper()), None)
        bare = self._bare(name)
        return None if bare is None else self._groups.get(bare.lower())

    def user(self, name: str) -> User:
        """Return a user (2221 when absent)."""
        found = self.find_user(name)
        if found is None:
            raise WindowsError(2221, name)
        return found

    def group(self, name: str) -> Group:
        """Return a group (2220 when absent)."""
        found = self.find_group(name)
        if found is None:
            raise WindowsError(2220, name)
        return found

    def sid_of(self, name: str) -> str:
        """Return the SID of any principal's name (1332 when there is none)."""
        if name.upper().startswith("S-1-"):
            return name.upper()
        found = self.find_user(name) or self.find_group(name)
        if found is not None:
            return found.sid
        low = name.lower()
        for sid, (domain, short) in WELL_KNOWN.items():
            full = f"{domain}\\{short}" if domain else short
            if low in {short.lower(), full.lower()} and short:
                return sid
        if low in {"localsystem", "local system"}:
            return "S-1-5-18"
        raise WindowsError(1332, name)

    def name_of(self, sid: str) -> str:
        """Return DOMAIN\\name of a SID (1332 when nobody has it)."""
        if sid in WELL_KNOWN:
            domain, name = WELL_KNOWN[sid]
            return f"{domain}\\{name}" if domain else name
        user = self.find_user(sid)
        if user is not None:
            return f"{self.host_name}\\{user.name}"
        group = self.find_group(sid)
        if group is not None:
            domain = "BUILTIN" if sid.startswith("S-1-5-32-") else self.host_name
            return f"{domain}\\{group.name}"
        raise WindowsError(1332, sid)

    def groups_of(self, name: str) -> list[Group]:
        """Return the groups a principal is a direct member of, by name."""
        sid = self.sid_of(name)
        return [g for g in self.groups() if sid in g.members]

    def is_admin(self, name: str) -> bool:
        """Whether the principal is SYSTEM or a member of Administrators."""
        try:
            sid = self.sid_of(name)
        except WindowsError:
            return False
        group = self.find_group(ADMINISTRATORS_SID)
        return sid == "S-1-5-18" or (group is not None and sid in group.members)

    def password_of(self, name: str) -> str | None:
        """Return the password of an enabled, unlocked user with one; None otherwise."""
        user = self.find_user(name)
        if user is None or not user.enabled or user.account_locked:
            return None
        return user.password

    def _new_sid(self) -> str:
        taken = {u.sid for u in self._users.values()} | {g.sid for g in self._groups.values()}
        while f"{self.machine_sid}-{self._next_rid}" in taken:
            self._next_rid += 1
        return f"{self.machine_sid}-{self._next_rid}"

    def create_user(self, name: str, password: str | None = None, **fields: Any) -> User:
        """Create a user, member of Users unless told otherwise (2224 exists, 2202 bad name)."""
        if not name or set(name) & set('"/\\[]:;|=,+*?<>@') or len(name) > 20:
            raise WindowsError(2202, name)
        if name.lower() in self._users or name.lower() in self._groups:
            raise WindowsError(2224, name)
        self._write(f"user {name}")
        user = User(name=name, sid=self._new_sid(), password=password, **fields)
        self._users[name.lower()] = user
        return user

    def change_user(self, name: str, /, **changes: Any) -> User:
        """Change fields of a user by their `User` names (2221 when absent)."""
        user = self.user(name)
        changed = replace(user, **changes)
        if changed != user:
            self._write(f"user {user.name}: {', '.join(sorted(changes))}")
            del self._users[user.name.lower()]
            self._users[changed.name.lower()] = changed
        return changed

    def delete_user(self, name: str) -> None:
        """Delete a user and all its memberships (2221 absent, 5 for a built-in account)."""
        user = self.user(name)
        if int(user.sid.rpartition("-")[2]) < 1000:
            raise WindowsError(5, name)
        self._write(f"user {user.name}")
        del self._users[user.name.lower()]
        for key, group in self._groups.items():
            if user.sid in group.members:
                kept = tuple(m for m in group.members if m != user.sid)
                self._groups[key] = replace(group, members=kept)

    def create_group(self, name: str, description: str = "", sid: str | None = None) -> Group:
        """Create a group (1379 exists)."""
        if name.lower() in self._groups or name.lower() in self._users:
            raise WindowsError(1379, name)
        self._write(f"group {name}")
        group = Group(name=name, sid=sid or self._new_sid(), description=description)
        self._groups[name.lower()] = group
        return group

    def change_group(self, name: str, **changes: Any) -> Group:
        """Change name or description of a group (2220 when absent)."""
        group = self.group(name)
        changed = replace(group, **changes)
        if changed != group:
            self._write(f"group {group.name}: {', '.join(sorted(changes))}")
            del self._groups[group.name.lower()]
            self._groups[changed.name.lower()] = changed
        return changed

    def delete_group(self, name: str) -> None:
        """Delete a group (2220 absent, 1371-like 5 for a built-in one)."""
        group = self.group(name)
        if group.sid.startswith("S-1-5-32-"):
            raise WindowsError(5, name)
        self._write(f"group {group.name}")
        del self._groups[group.name.lower()]

    def add_member(self, group: str, member: str) -> None:
        """Add a principal to a group (2220, 1332, 1378 member already)."""
        found, sid = self.group(group), self.sid_of(member)
        if sid in found.members:
            raise WindowsError(1378, member)
        self._write(f"group {found.name}: member {member}")
        self._groups[found.name.lower()] = replace(found, members=(*found.members, sid))

    def remove_member(self, group: str, member: str) -> None:
        """Take a principal out of a group (2220, 1332, 1377 no member)."""
        found, sid = self.group(group), self.sid_of(member)
        if sid not in found.members:
            raise WindowsError(1377, member)
        self._write(f"group {found.name}: member {member}")
        kept = tuple(m for m in found.members if m != sid)
        self._groups[found.name.lower()] = replace(found, members=kept)

    def save(self) -> Any:
        """Return the state for `load`."""
        return dict(self._users), dict(self._groups), self._next_rid

    def load(self, state: Any) -> None:
        """Go back to a saved state."""
        users, groups, self._next_rid = state
        self._users, self._groups = dict(users), dict(groups)

    def dump(self) -> dict[str, Any]:
        """Return users without passwords, and groups with members' SIDs."""
        users = []
        for user in self.users():
            shown = asdict(user)
            shown["password"] = None if user.password is None else "set"
            for key in ("password_set", "expires", "last_logon"):
                shown[key] = shown[key].isoformat() if shown[key] else None
            users.append(shown)
        return {"users": users, "groups": [asdict(g) for g in self.groups()]}
