"""Making a baseline from what Microsoft and others publish: GPO backups and LGPO text.

A backup is found by its files, whatever the nesting and the case of the names ([MS-GPOD], and the
backups that people publish differ in both): GptTmpl.inf, registry.pol, audit.csv. Several GPOs are
merged in the order given, the last that speaks of a value decides, as with linked GPOs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import defusedxml.ElementTree as ElementTree

from opsproof.controls.model import Text
from opsproof.errors import UsageError
from opsproof.evidence.model import Severity
from opsproof.policy import auditcsv, lgpo, pol, security
from opsproof.policy.baseline import Baseline, Comparison, Setting, Source
from opsproof.policy.registry import Data, RegistryPath, RegistryType
from opsproof.policy.targets import (
    USER_TYPES,
    Audit,
    Registry,
    Right,
    Service,
    StartMode,
    SystemAccess,
    Target,
    Value,
)

_POLICY_FILES = {"gpttmpl.inf", "registry.pol", "audit.csv"}
_GUID_FOLDER = re.compile(r"\{[0-9a-f-]{36}\}", re.IGNORECASE)
_BASELINE_TYPES = {
    RegistryType.SZ,
    RegistryType.EXPAND_SZ,
    RegistryType.BINARY,
    RegistryType.DWORD,
    RegistryType.MULTI_SZ,
    RegistryType.QWORD,
}
# LGPO also names groups and single users ("User:Administrators"), which a baseline cannot.
_LGPO_HIVES = {"computer": "HKLM", "user": "HKCU"}
_CODES = {
    SystemAccess: ("ACC", "account-policy"),
    Right: ("URA", "user-rights"),
    Registry: ("REG", "registry"),
    Audit: ("AUD", "audit-policy"),
    Service: ("SVC", "services"),
}
_STARTS = {2: StartMode.AUTO, 3: StartMode.MANUAL, 4: StartMode.DISABLED}


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """The files of one GPO, or one LGPO text; ``name`` is what people call it."""

    name: str
    root: Path
    files: tuple[Path, ...]


@dataclass
class _Merge:
    settings: dict[tuple[str, ...], Setting] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def put(self, target: Target, value: Value | None, cite: str) -> None:
        code, category = _CODES[type(target)]
        digest = hashlib.sha256("\0".join(target.folded).encode()).hexdigest()
        shown = str(target)
        self.settings.pop(target.folded, None)
        self.settings[target.folded] = Setting(
            id=f"{code}-{digest[:8].upper()}",
            title=Text(shown, shown),
            category=category,
            target=target,
            comparison=Comparison.ABSENT if value is None else Comparison.EQUAL,
            value=value,
            severity=Severity.MEDIUM,
            sources=(cite,),
        )

    def drop_below(self, hive: str, key: str, *, subkeys: bool) -> None:
        """Forget what earlier entries set in a key that is emptied."""
        low = key.lower()
        for folded, setting in list(self.settings.items()):
            if isinstance(setting.target, Registry) and setting.target.path.hive == hive:
                own = setting.target.path.key.lower()
                if own == low or (subkeys and own.startswith(f"{low}\\")):
                    del self.settings[folded]


def find(path: Path) -> list[PolicyFiles]:
    """The GPOs in a folder, in the order of their paths; or the one LGPO text that a file is.

    Raises:
        UsageError: there is nothing of the kind.
    """
    if path.is_file():
        return [PolicyFiles(path.stem, path.parent, (path,))]
    groups: dict[Path, list[Path]] = {}
    for file in sorted(path.rglob("*")) if path.is_dir() else []:
        if file.name.lower() in _POLICY_FILES and file.is_file():
            groups.setdefault(_root(file, path), []).append(file)
    if not groups:
        raise UsageError(
            "holds no GptTmpl.inf, registry.pol or audit.csv",
            where=str(path),
            remedy="name the folder of a GPO backup or an LGPO text file",
        )
    return [PolicyFiles(_display(root), root, tuple(files)) for root, files in groups.items()]


def import_policies(
    paths: Sequence[Path],
    *,
    name: str,
    title: Text,
    releases: tuple[str, ...],
    code_page: str = "utf-8",
) -> Baseline:
    """One baseline of all GPOs and texts, merged in their order.

    User settings become settings of every user. What a baseline cannot hold (descriptors, restricted
    groups, settings of some users only) is in ``warnings``.

    Raises:
        DamagedError: a file is damaged; nothing is imported then.
        UsageError: a path holds no policy, or one that sets nothing.
    """
    merge = _Merge()
    sources: list[Source] = []
    for number, group in enumerate((one for path in paths for one in find(path)), start=1):
        source = Source(f"gpo{number}", group.name, group.root.name or str(group.root))
        sources.append(source)
        for file in group.files:
            _take(file, source.id, merge, code_page)
    if not merge.settings:
        raise UsageError("no settings were found", where=", ".join(map(str, paths)))
    return Baseline(
        id=name,
        title=title,
        releases=releases,
        sources=tuple(sources),
        settings=tuple(merge.settings.values()),
        warnings=tuple(merge.warnings),
    )


def _root(file: Path, top: Path) -> Path:
    """The folder of a file's GPO: the nearest with a backup's description or a GUID for a name."""
    for folder in file.parents:
        if _GUID_FOLDER.fullmatch(folder.name) or _description(folder):
            return folder
        if folder == top:
            break
    # Without either, all that stands above "Machine" is one GPO.
    for folder in file.parents:
        if folder.name.lower() in {"machine", "user"} and folder != top:
            return folder.parent
        if folder == top:
            break
    return top


def _description(folder: Path) -> Path | None:
    return next((one for one in folder.iterdir() if one.name.lower() == "bkupinfo.xml"), None)


def _display(root: Path) -> str:
    file = _description(root)
    if file is None:
        return root.name
    try:
        tree = ElementTree.fromstring(file.read_bytes())
    except ElementTree.ParseError as error:
        raise UsageError(f"is not XML: {error}", where=str(file)) from error
    found = next((e.text for e in tree.iter() if e.tag.endswith("}GPODisplayName")), None)
    return (found or "").strip() or root.name


def _take(file: Path, source: str, merge: _Merge, code_page: str) -> None:
    data, shown = file.read_bytes(), str(file)
    halves = [part.lower() for part in file.parts[:-1] if part.lower() in {"machine", "user"}]
    hive = "HKCU" if halves[-1:] == ["user"] else "HKLM"
    match file.name.lower():
        case "gpttmpl.inf":
            _template(security.read(data, name=shown, code_page=code_page), source, merge)
        case "audit.csv":
            _audit(auditcsv.parse(data, name=shown, code_page=code_page), source, merge)
        case "registry.pol":
            _registry(pol.parse(data, name=shown), hive, f"{source}:registry.pol", shown, merge)
        case _:
            items = lgpo.parse(data, name=shown)
            for one in items:
                chosen = _LGPO_HIVES.get(one.configuration.lower())
                if chosen is None:
                    what = f"{one.entry.key} of {one.configuration}"
                    merge.warnings.append(f"{shown}: {what} is not imported")
                else:
                    _registry([one.entry], chosen, f"{source}:{file.name}", shown, merge)


def _template(template: security.SecurityTemplate, source: str, merge: _Merge) -> None:
    cite = f"{source}:GptTmpl.inf"
    for key, value in template.system_access.items():
        merge.put(SystemAccess(key), value, f"{cite} [System Access] {key}")
    for one in template.registry:
        where = f"{cite} [Registry Values] {one.path.name}"
        if one.path.hive != "HKLM":
            merge.warnings.append(f"{one.path}: settings of one user are not imported")
        else:
            merge.put(Registry(one.path, one.type), _value(one.data), where)
    for right, trustees in template.rights.items():
        named = [text for text in trustees if not security.SID.fullmatch(text)]
        if named:
            # What a name means is a matter of the host's language.
            who = ", ".join(named)
            merge.warnings.append(f"{cite} {right}: {who} is no SID; the right is not imported")
            continue
        merge.put(Right(right), trustees, f"{cite} [Privilege Rights] {right}")
    for service in template.services:
        where = f"{cite} [Service General Setting] {service.name}"
        merge.put(Service(service.name), _STARTS[service.start].value, where)
        if service.sddl:
            merge.warnings.append(f"{service.name}: the service's descriptor is not imported")
    left = [title for title, _ in template.rest]
    left += ["Event Audit"] if template.event_audit else []
    left += ["Kerberos Policy"] if template.kerberos else []
    merge.warnings += [f"{cite}: the section [{title}] is not imported" for title in left]


def _audit(lines: Iterable[auditcsv.AuditLine], source: str, merge: _Merge) -> None:
    for line in lines:
        if line.machine_wide:
            merge.put(Audit(line.guid), line.flags, f"{source}:audit.csv {line.guid}")
        else:
            merge.warnings.append(f"audit.csv: {line.subcategory or line.guid} is not imported")


def _registry(
    entries: Iterable[pol.Entry], hive: str, cite: str, shown: str, merge: _Merge
) -> None:
    types = _BASELINE_TYPES if hive == "HKLM" else USER_TYPES
    for entry in entries:
        where = f"{cite} {entry.key}\\{entry.value}"
        match entry.action:
            case pol.Action.SET | pol.Action.SOFT:
                kind = RegistryType(entry.type)
                if kind not in types:
                    merge.warnings.append(f"{shown}: {entry.key}: {kind.name} is not imported")
                    continue
                path = RegistryPath(hive, entry.key, entry.names[0])
                merge.put(Registry(path, kind), _value(entry.content()), where)
            case pol.Action.DELETE | pol.Action.DELETE_VALUES:
                for target in _deleted(entry, hive):
                    merge.put(target, None, where)
            case pol.Action.DELETE_ALL_VALUES:
                merge.drop_below(hive, entry.key, subkeys=False)
                merge.warnings.append(f"{shown}: emptying {entry.key} is not imported")
            case pol.Action.DELETE_KEYS:
                for name in entry.names:
                    key = f"{entry.key}\\{name}" if entry.key else name
                    merge.drop_below(hive, key, subkeys=True)
                merge.warnings.append(f"{shown}: deleting keys of {entry.key} is not imported")
            case _:
                merge.warnings.append(f"{shown}: {entry.action} of {entry.key} is not imported")


def _deleted(entry: pol.Entry, hive: str) -> Iterator[Registry]:
    for name in entry.names:
        yield Registry(RegistryPath(hive, entry.key, name), RegistryType.DWORD)


def _value(data: Data) -> Value:
    return data.hex() if isinstance(data, bytes) else data
